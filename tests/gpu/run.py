#!/usr/bin/env python3
"""The acceptance run on a machine with an NVIDIA GPU: verifies, injures, measures, writes evidence.

    tests/gpu/run.py BINARY [--out docs/evidence] [--runs 10] [--rehearse]

Here lives everything that can be claimed of cudacheck only where there is a GPU: each claim with what
was expected, written before anything was measured, beside what was seen, against nvidia-smi and torch
in the same run. Tests that need no GPU live in tests/it. Nothing here changes the card: no clock, power,
MIG, persistence or compute mode, no reset; memory is taken by plain allocations and given back.

Exit status: 0 nothing differs, 1 something differs, 2 wrong use, 3 there is no GPU. What could not be
looked at is in the table with its reason, and is counted. `--rehearse` runs all of it on the fake
libraries of tests/fakes, to test this script: what that writes is marked as such and is no evidence.
"""

import argparse
import ctypes
import datetime
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections import namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEVELS = ["image", "nvml", "driver", "smoke", "gemm"]

# What is expected, before measuring.
SPEED_AGREES = (0.85, 1.15)  # cudacheck's TFLOP/s over torch's: same shape, format, kind of data
PEAK_SHARE = (0.3, 1.0)  # of a device whose peak is known
LATE = 0.25  # seconds beyond --timeout
LEAK = 8  # MiB that used memory may differ after ten runs, for what others do meanwhile
SPEEDS = [  # command, peer, how many times the peer's time it may take
    ("cudacheck health", "nvidia-smi -L", 2.0),
    ("cudacheck health", "nvidia-smi", 1.0),
    ("cudacheck --level driver", "torch one-liner", 1 / 3),
    ("cudacheck --level smoke", "torch one-liner", 1 / 2),
]

LIMIT = 480  # seconds for everything
LAST_START = 400  # no section begins later
PATIENCE = 120  # for one command
KEPT_FREE = 200  # MiB that the process which fills the memory leaves
TEN_RUNS = 100  # seconds after which fewer than ten have to do
ROUNDS = 100  # the same for the rounds against peers
FORMATS = {"f32": ("float32", False), "tf32": ("float32", True), "f16": ("float16", False), "bf16": ("bfloat16", False)}
UNPAIRED = 192  # as in src/bin/probe/blas/case.rs
WARM_UP, MEASURED = 0.040, 0.080  # as in src/bin/probe/blas/mod.rs
LIBRARIES = ["libnvidia-ml", "libcuda", "libcudart", "libcublas", "libcupti"]


# ---- Commands and what became of them ------------------------------------------------------------

Done = namedtuple("Done", "status out err seconds")


def environment(changes):
    """This process's environment without cudacheck's own variables, changed; None takes one away."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("CUDACHECK_")}
    base.update({name: value for name, value in changes.items() if value is not None})
    return {name: value for name, value in base.items() if changes.get(name, "") is not None}


def execute(command, **changes):
    start = time.perf_counter()
    try:
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", env=environment(changes), timeout=PATIENCE)
        return Done(done.returncode, done.stdout, done.stderr, time.perf_counter() - start)
    except subprocess.TimeoutExpired:
        return Done(f"no end in {PATIENCE} s", "", "", time.perf_counter() - start)
    except OSError as error:
        return Done(str(error), "", "", time.perf_counter() - start)


class Answer:
    """A report as JSON, with the exit status and the time that it took."""

    def __init__(self, done):
        self.status, self.seconds, self.error = done.status, done.seconds, done.err.strip()
        try:
            self.report = json.loads(done.out)
        except ValueError:
            self.report = None

    def findings(self):
        return self.report["findings"] if self.report else []

    def finding(self, name):
        return next((finding for finding in self.findings() if finding["id"] == name), None)

    def leading(self):
        """The gravest finding, where it is one that keeps the GPU from being verified."""
        if self.report is None:
            return "no report"
        first = self.findings()[0] if self.findings() else {"severity": "note"}
        return first["id"] if first["severity"] in ("error", "unknown") else "no fault"

    def words(self):
        """All that the leading finding says, in one string."""
        first = self.findings()[0] if self.findings() else {}
        return json.dumps({key: first.get(key) for key in ("cause", "evidence", "remedy")})

    def ending(self):
        return f"exit {self.status}, {self.leading()}"

    def reached(self):
        if self.report is None:
            return f"exit {self.status}, no report: {self.error[-200:]}"
        fault = "" if self.leading() == "no fault" else f", {self.leading()}"
        return f"exit {self.status}, {self.report['verdict']}, level {self.report['level']}{fault}"

    def gpu(self, ordinal=0):
        """The driver's device of that number, else whatever comes first."""
        gpus = self.report["gpus"] if self.report else []
        return next((gpu for gpu in gpus if gpu["ordinal"] == ordinal), gpus[0] if gpus else None)

    def loaded(self, library):
        entries = self.report["loaded"] if self.report else []
        return next((entry for entry in entries if entry["library"] == library), None)


class Run:
    """The claims so far, and what they rest on."""

    def __init__(self, binary, rehearsal):
        self.binary, self.rehearsal = binary, rehearsal
        self.start = time.perf_counter()
        self.rows = []  # section, claim, expected, seen, verdict
        self.section_name = ""
        self.answers = {}  # level: Answer
        self.faults = []  # what was provoked, and what was said about it
        self.human = ""
        self.python = None  # one that has torch
        self.torch = []  # what torch said, each time that it was asked
        self.smi = {}  # what nvidia-smi said
        self.ten = []  # Answers of runs in a row
        self.seconds = {}  # command: seconds of each run

    def spent(self):
        return time.perf_counter() - self.start

    def claim(self, what, expected, seen, holds=None):
        holds = expected == seen if holds is None else holds
        self.rows.append((self.section_name, what, text(expected), text(seen), "ok" if holds else "DIFFERS"))

    def skip(self, what, why):
        self.rows.append((self.section_name, what, "", why, "skipped"))

    def count(self, verdict):
        return sum(row[4] == verdict for row in self.rows)

    def cudacheck(self, *arguments, prefix=(), **changes):
        return Answer(execute([*prefix, self.binary, "--format", "json", *arguments], **changes))

    def injured(self, what, *arguments, prefix=(), **changes):
        """A run on a machine that has something wrong; kept for the evidence."""
        answer = self.cudacheck(*arguments, prefix=prefix, **changes)
        findings = [{key: finding[key] for key in ("id", "severity", "cause", "remedy", "evidence", "explains")}
                    for finding in answer.findings()]
        self.faults.append({"what": what, "arguments": arguments, "environment": changes, "status": answer.status,
                            "seconds": round(answer.seconds, 3), "error": answer.error[-500:], "findings": findings,
                            "verdict": answer.report and answer.report["verdict"],
                            "summary": answer.report and answer.report["summary"],
                            "loaded": answer.report and answer.report["loaded"]})
        return answer

    def section(self, name, job):
        """One group of claims. What goes wrong in the script itself is a claim that did not hold."""
        if name != self.section_name:
            print(f"[{self.spent():5.0f} s] {name}", flush=True)
        self.section_name = name
        if self.spent() > LAST_START:
            return self.claim("the section was reached in time", f"before {LAST_START} s", f"after {self.spent():.0f} s", False)
        try:
            job(self)
        except Exception as error:  # whatever it is, what was seen so far must not be lost
            traceback.print_exc()
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.claim("the script came through", "no error", f"{type(error).__name__}: {error} (line {where.lineno})", False)


def text(value):
    return value if isinstance(value, str) else json.dumps(value)


def within(value, low, high):
    return low <= value <= high


def first_path(directory, variable="LD_LIBRARY_PATH"):
    """A search path with this directory before all others. An empty part would mean the working directory."""
    return ":".join(part for part in [str(directory), *os.environ.get(variable, "").split(":")] if part)


# ---- nvidia-smi ----------------------------------------------------------------------------------


def smi_rows(query, fields):
    done = execute(["nvidia-smi", f"--query-{query}={','.join(fields)}", "--format=csv,noheader,nounits"])
    if done.status != 0:
        return None
    lines = [line for line in done.out.splitlines() if line.strip()]
    return [dict(zip(fields, (cell.strip() for cell in line.split(",")))) for line in lines]


def smi(fields, query="gpu"):
    """One dictionary per GPU. A field that this nvidia-smi does not know is in none of them."""
    rows = smi_rows(query, fields)
    if rows is None:
        known = [field for field in fields if smi_rows(query, [field]) is not None]
        rows = (smi_rows(query, known) if known else None) or []
    return rows


def have_smi():
    return shutil.which("nvidia-smi") is not None


def used_memory():
    return [int(row["memory.used"]) for row in smi(["memory.used"])]


# ---- torch, in processes of its own --------------------------------------------------------------


def mapped():
    """The NVIDIA libraries in this process, by what the kernel mapped."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    paths = {line[line.index("/"):] for line in lines if "/" in line}
    return sorted(path for path in paths if re.match(r"lib(cu|nvidia-ml)[^/]*\.so", path.rsplit("/", 1)[1]))


def child_torch(size, device, formats):
    """torch's view of the devices, and its products of the same shape, format and kind of data."""
    import torch

    on_gpu = device == "cuda"
    if on_gpu and torch.version.cuda is None:
        return print(json.dumps({"useless": f"torch {torch.__version__} is built without CUDA"}))
    answer = {"version": torch.__version__, "cuda": torch.version.cuda, "devices": [], "exact": {}, "rates": {}}
    for number in range(torch.cuda.device_count() if on_gpu else 0):
        known = torch.cuda.get_device_properties(number)
        answer["devices"].append({"name": known.name, "capability": f"{known.major}.{known.minor}",
                                  "sms": known.multi_processor_count, "memory": known.total_memory,
                                  "uuid": str(getattr(known, "uuid", ""))})
    size = int(size)
    a, b = operands(torch, size)
    wanted = a @ b  # on the CPU; integers far below 2^24, so exact in whatever order
    for name in filter(None, formats.split(",")):
        kind, tf32 = FORMATS[name]
        torch.backends.cuda.matmul.allow_tf32 = tf32
        left, right = (matrix.to(device, getattr(torch, kind)) for matrix in (a, b))
        product = torch.full((size, size), float("nan"), device=device, dtype=left.dtype)
        torch.matmul(left, right, out=product)
        answer["exact"][name] = bool((product.float().cpu() == wanted).all())
        multiply = lambda: torch.matmul(left, right, out=product)
        answer["rates"][name] = [rate(torch, multiply, 2 * size**3, on_gpu) for _ in range(5)]
    answer["mapped"] = mapped()
    print(json.dumps(answer))


def operands(torch, size):
    """Plus and minus one; columns of A in equal pairs and rows of B in opposite ones, but for the last."""
    random = torch.Generator().manual_seed(1)
    a, b = (torch.randint(0, 2, (size, size), generator=random).float() * 2 - 1 for _ in range(2))
    paired = size - min(UNPAIRED, size)
    a[:, 1:paired:2] = a[:, 0:paired:2]
    b[1:paired:2] = -b[0:paired:2]
    return a, b


def rate(torch, multiply, operations, on_gpu):
    """TFLOP/s in the way of cudacheck: warm for 40 ms, then about 80 ms of work between two events."""
    wait = torch.cuda.synchronize if on_gpu else (lambda: None)
    time.sleep(0.2)  # a fresh start for clocks and heat, as a process of cudacheck's has
    count, start = 0, time.perf_counter()
    while not count or time.perf_counter() - start < WARM_UP:
        multiply()
        wait()
        count += 1
    repeats = int(min(max(MEASURED * count / (time.perf_counter() - start), 1), 2000))
    if on_gpu:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            multiply()
        end.record()
        end.synchronize()
        seconds = begin.elapsed_time(end) / 1e3
    else:
        begin = time.perf_counter()
        for _ in range(repeats):
            multiply()
        seconds = time.perf_counter() - begin
    return operations * repeats / seconds / 1e12


def child_mapped(library):
    """What an application in this environment maps: torch, or the library by its soname."""
    if library == "torch":
        import torch  # noqa: F401
    else:
        ctypes.CDLL(library)
    print(json.dumps(mapped()))


def child_fill(keep):
    """Takes all free memory of device 0 but so many MiB, by plain allocations; holds it until its input ends."""
    cuda = ctypes.CDLL("libcuda.so.1")

    def call(name, *arguments):
        status = getattr(cuda, name)(*arguments)
        if status != 0:
            sys.exit(f"{name} returned {status}")

    device, context, pointer = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    call("cuInit", 0)
    call("cuDeviceGet", ctypes.byref(device), 0)
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    call("cuCtxSetCurrent", context)
    chunk = 1 << 30
    while chunk >= 4 << 20:
        call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        room = free.value - (int(keep) << 20)
        if room < chunk or cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(chunk)) != 0:
            chunk //= 2
    print(f"free {free.value >> 20}", flush=True)
    sys.stdin.read()


def child(name, *arguments, python=sys.executable, **changes):
    """A function of this file in a process of its own: its last line as JSON, or its last words."""
    done = execute([python, Path(__file__).resolve(), "--child", name, *arguments], **changes)
    try:
        return json.loads(done.out.splitlines()[-1])
    except (ValueError, IndexError):
        return {"error": f"exit {done.status}: {(done.err or done.out).strip()[-300:]}"}


def find_torch(run):
    """A Python that has torch, and what torch says."""
    candidates = dict.fromkeys(filter(None, [sys.executable, shutil.which("python3"), shutil.which("python")]))
    run.python = next((python for python in candidates if execute([python, "-c", "import torch"]).status == 0), None)
    if run.python is None:
        return run.skip("torch as a peer", "no Python here can import torch")
    ask_torch(run)
    if "useless" in run.torch[-1]:
        run.skip("torch as a peer", run.torch[-1]["useless"])
    else:
        run.claim("torch works here", "yes", run.torch[-1].get("error", "yes"))
    if "devices" not in run.torch[-1]:
        run.torch, run.python = [], None


def ask_torch(run):
    timed = run.answers["gemm"].gpu()["speed"]
    size = timed[0]["size"][0] if timed else 512
    # A rehearsal has no GPU for torch: it multiplies on the CPU, to try the code.
    device = "cpu" if run.rehearsal else "cuda"
    run.torch.append(child("torch", size, device, ",".join(speed["format"] for speed in timed), python=run.python))


# ---- Claims: the main job ------------------------------------------------------------------------


def levels(run):
    for level in LEVELS:
        answer = run.answers[level] = run.cudacheck("--level", level)
        run.claim(f"cudacheck --level {level}", f"exit 0, verified, level {level}", answer.reached())
    done = execute([run.binary])
    run.human = done.out
    run.claim("the report for people begins with its verdict", "✔ VERIFIED", done.out.splitlines()[0][:10] if done.out else "")
    # What asks for less or more than all of it.
    gpus = [gpu for gpu in run.answers["driver"].report["gpus"] if gpu["ordinal"] is not None]
    enough = run.cudacheck("--level", "driver", "--require-gpus", len(gpus))
    run.claim("--require-gpus of as many as there are", "exit 0, no fault", enough.ending())
    short = run.injured("one GPU too few", "--level", "driver", "--require-gpus", len(gpus) + 1)
    run.claim("--require-gpus of one more", "exit 1, driver.too-few", short.ending())
    if gpus:
        one = run.cudacheck("--level", "smoke", "--gpus", gpus[0]["uuid"])
        run.claim("--gpus by UUID", "exit 0, verified, level smoke", one.reached())
    other = execute([run.binary, "--level", "driver", "--gpus", "99"])
    run.claim("--gpus 99", "exit 2, says which there are", f"exit {other.status}, {'says which there are' if 'GPU-' in other.err else other.err[-200:]}")


def health(run):
    for arguments in [[], ["--level", "driver"], ["--level", "smoke"]]:
        done = execute([run.binary, "health", *arguments])
        seen = f"exit {done.status}, {done.out.split(':')[0]}, {'few' if len(done.out) <= 4096 else 'too many'} bytes"
        run.claim(" ".join(["cudacheck health", *arguments]), "exit 0, healthy, few bytes", seen)


def smoke(run):
    for gpu in run.answers["gemm"].report["gpus"]:
        if gpu["ordinal"] is None:
            run.skip(f"smoke kernel on {gpu['uuid']}", "CUDA does not list it")
            continue
        seen = gpu["smoke"] or {}
        label = f"GPU {gpu['ordinal']}: "
        run.claim(label + "every multiprocessor was seen", [gpu["multiprocessors"]] * 2, [seen.get("sms_present"), seen.get("sms_covered")])
        run.claim(label + "every word is right", [[], 0, True], [seen.get("sms_wrong"), seen.get("words_wrong"), seen.get("sums_right")])
        run.claim(label + "one cooperative launch did", [True, 1], [seen.get("cooperative"), seen.get("launches")])


def products(run):
    for gpu in run.answers["gemm"].report["gpus"]:
        if gpu["ordinal"] is None:
            continue
        label = f"GPU {gpu['ordinal']}: "
        wanted = ["f32", "f16/f32", "f16"]
        if float(gpu["capability"]) >= 8.0:
            wanted += ["tf32", "bf16/f32", "bf16"]
        for name in wanted:
            verdicts = sorted({text(case["verdict"]) for case in gpu["gemm"] if case["format"] == name})
            # cuBLAS may compute TF32 in FP32, which is right as well, and told as a note.
            run.claim(f"{label}products in {name}", "exact", ", ".join(verdicts) or "none", verdicts == ["exact"])
        runtime, blas = gpu["runtime"] or {}, gpu["blas"] or {}
        run.claim(label + "a copy to the device and back", "unchanged", "unchanged" if runtime and runtime["wrong_at"] is None else runtime)
        run.claim(label + "cuBLAS and cuBLASLt are of one release", blas.get("cublas"), blas.get("cublas_lt"), bool(blas) and blas["cublas"] == blas["cublas_lt"])
        version = runtime.get("driver", 0)
        run.claim(label + "the runtime sees the driver's CUDA", run.answers["gemm"].report["driver"]["cuda"], f"{version // 1000}.{version % 1000 // 10}")
        run.claim(label + "the runtime sees as many devices", sum(g["ordinal"] is not None for g in run.answers["gemm"].report["gpus"]), runtime.get("devices"))


# ---- Claims: facts against nvidia-smi and torch --------------------------------------------------

SWITCH = {"Enabled": True, "Disabled": False, "Yes": True, "No": False, "1": True, "0": False}


def number(cell):
    return int(float(cell))


def address(cell):
    """`00000000:0F:00.0` and `0000:0f:00.0` are one place."""
    domain, rest = cell.lower().split(":", 1)
    return f"{int(domain, 16):x}:{rest}"


def dashed(cell):
    return cell.lower().replace("_", "-").replace(" ", "-")


def at(*keys, convert=lambda value: value):
    """A place in a GPU of the report; what NVML refuses stays the refusal."""

    def look(gpu):
        for key in keys:
            if refused(gpu):
                return gpu
            gpu = gpu[key]
        return gpu if refused(gpu) else convert(gpu)

    return look


def mib(value):
    return value >> 20


# nvidia-smi's field, how its text reads, the same in our report, how far both may be apart.
FACTS = [
    ("index", number, at("health", "index"), 0),
    ("name", str, at("health", "name"), 0),
    ("name", str, at("name"), 0),
    ("uuid", str, at("uuid"), 0),
    ("pci.bus_id", address, at("pci", convert=address), 0),
    ("pci.bus_id", address, at("health", "pci", convert=address), 0),
    ("compute_cap", str, at("capability"), 0),
    ("memory.total", number, at("health", "memory_total", convert=mib), 1),
    ("memory.free", number, at("health", "memory_free", convert=mib), 64),
    ("compute_mode", dashed, at("health", "compute_mode"), 0),
    ("persistence_mode", SWITCH.__getitem__, at("health", "persistence"), 0),
    ("mig.mode.current", SWITCH.__getitem__, at("health", "mig_enabled"), 0),
    ("ecc.mode.current", SWITCH.__getitem__, at("health", "ecc_enabled"), 0),
    ("ecc.errors.uncorrected.volatile.total", number, at("health", "ecc_uncorrected"), 0),
    ("ecc.errors.corrected.volatile.total", number, at("health", "ecc_corrected"), 0),
    ("retired_pages.pending", SWITCH.__getitem__, at("health", "retired_pages_pending"), 0),
    ("pcie.link.gen.max", number, at("health", "pcie_generation", "max"), 0),
    ("pcie.link.width.max", number, at("health", "pcie_width", "max"), 0),
    ("pcie.link.width.current", number, at("health", "pcie_width", "current"), 0),
    ("clocks.max.sm", number, at("health", "sm_clock_max"), 0),
    ("temperature.gpu", number, at("health", "temperature"), 10),
    ("fabric.state", dashed, at("health", "fabric", "state"), 0),
]
ROWS = [
    ("remapped_rows.correctable", number, "correctable"),
    ("remapped_rows.uncorrectable", number, "uncorrectable"),
    ("remapped_rows.pending", SWITCH.__getitem__, "pending"),
    ("remapped_rows.failure", SWITCH.__getitem__, "failed"),
]


def refused(value):
    return isinstance(value, dict) and list(value) == ["unavailable"]


def compare(run, what, cell, read, ours, apart=0):
    """A cell of nvidia-smi against a value of ours. What NVML does not tell, neither may claim to know."""
    if cell is None:
        run.skip(what, "this nvidia-smi does not know the field")
    elif dashed(cell.strip("[]")) in ("n/a", "not-supported", "unknown-error", "not-available"):
        # An absent fabric is a state of its own in NVML.
        run.claim(what, "not available", ours, refused(ours) or ours == "not-supported")
    elif refused(ours):
        run.claim(what, read(cell), ours, False)
    else:
        theirs = read(cell)
        run.claim(what, theirs if not apart else f"{theirs} ± {apart}", ours, abs(theirs - ours) <= apart if apart else theirs == ours)


def facts(run):
    report = run.answers["gemm"].report
    if not have_smi():
        return run.skip("facts against nvidia-smi", "nvidia-smi is not here")
    fields = list(dict.fromkeys(field for field, *_ in FACTS)) + ["driver_version", "power.draw"]
    run.smi["before"] = rows = smi(fields)
    # NVML has been asked some seconds earlier otherwise.
    fresh = run.cudacheck("--level", "driver")
    run.claim("as many GPUs as nvidia-smi lists", len(rows), sum(gpu["health"] is not None for gpu in fresh.report["gpus"]))
    for row in rows:
        gpu = next((gpu for gpu in fresh.report["gpus"] if gpu["health"] and gpu["health"]["uuid"] == row["uuid"]), None)
        if gpu is None:
            run.claim(f"GPU {row['uuid']} is in the report", "yes", "no")
            continue
        run.claim(f"GPU {row.get('index')} driver_version", row["driver_version"], report["driver"]["version"])
        of_part = {"name", "uuid"} if gpu["uuid"].startswith("MIG-") else set()
        for field, read, ours, apart in FACTS:
            if field in of_part and ours(gpu) != row[field]:
                run.skip(f"GPU {row.get('index')} {field}", "CUDA speaks of a MIG instance")
            else:
                compare(run, f"GPU {row.get('index')} {field}", row.get(field), read, ours(gpu), apart)
        power(run, row, gpu)
        remapped(run, row, gpu)
    module, cuda = report["driver"]["module"], smi_cuda()
    if module is None:
        run.skip("kernel module and user-space driver are of one version", "/proc/driver/nvidia/version does not exist")
    else:
        run.claim("kernel module and user-space driver are of one version", report["driver"]["version"], module)
    if cuda is None:
        run.skip("CUDA of the driver", "nvidia-smi does not say it where it used to")
    else:
        run.claim("CUDA of the driver", cuda, report["driver"]["cuda"])
    links(run)
    processes = smi(["gpu_uuid", "pid"], query="compute-apps")
    for gpu in fresh.report["gpus"]:
        count = sum(process["gpu_uuid"] == gpu["health"]["uuid"] for process in processes) if gpu["health"] else None
        run.claim(f"compute processes on {gpu['uuid'][:12]}", count, gpu["health"] and gpu["health"]["compute_processes"])


def power(run, row, gpu):
    """It changes by the second: what is compared is the unit."""
    ours = gpu["health"]["power"]
    try:
        watts = float(row["power.draw"])
    except (KeyError, ValueError):
        return run.skip("power.draw", "nvidia-smi does not tell it")
    run.claim("power.draw in W", f"{watts} within a factor of 3", ours if refused(ours) else ours / 1e3, not refused(ours) and within(ours / 1e3 / watts, 1 / 3, 3))


def remapped(run, row, gpu):
    rows = smi(["gpu_uuid", *(field for field, *_ in ROWS)], query="remapped-rows")
    mine = next((entry for entry in rows if entry.get("gpu_uuid") == row["uuid"]), None)
    if mine is None:
        return run.skip("remapped rows", "nvidia-smi does not tell of them")
    for field, read, key in ROWS:
        compare(run, field, mine.get(field), read, at("health", "remapped_rows", key)(gpu))


def smi_cuda():
    found = re.search(r"CUDA (?:UMD )?Version *: *([0-9.]+)", execute(["nvidia-smi"]).out)
    return found and found[1]


def links(run):
    done = execute(["nvidia-smi", "nvlink", "--status"])
    if done.status != 0:
        return run.skip("active NVLinks", f"nvidia-smi nvlink ends with {done.status}")
    ours = [gpu["health"]["nvlinks"] for gpu in run.answers["gemm"].report["gpus"] if gpu["health"]]
    run.claim("active NVLinks", len(re.findall(r"Link \d+: [\d.]+ GB/s", done.out)), sum(0 if refused(link) else link["active"] for link in ours))


def against_torch(run):
    if not run.torch:
        return run.skip("devices against torch", "torch is not here")
    answer, peer = run.answers["gemm"], run.torch[0]
    gpus = [gpu for gpu in answer.report["gpus"] if gpu["ordinal"] is not None]
    run.claim("as many devices as torch counts", len(peer["devices"]), len(gpus))
    for gpu, known in zip(gpus, peer["devices"]):
        label = f"GPU {gpu['ordinal']} by torch: "
        run.claim(label + "name", known["name"], gpu["name"])
        run.claim(label + "compute capability", known["capability"], gpu["capability"])
        run.claim(label + "multiprocessors", known["sms"], gpu["multiprocessors"])
        run.claim(label + "memory", known["memory"], gpu["memory"])
        if known["uuid"]:
            run.claim(label + "uuid", known["uuid"].split("-", 1)[-1] if known["uuid"].startswith(("GPU-", "MIG-")) else known["uuid"], gpu["uuid"][4:])
        else:
            run.skip(label + "uuid", "this torch does not tell it")
    version = (answer.gpu()["runtime"] or {}).get("version", 0)
    run.claim("CUDA runtime that torch was built for", peer["cuda"], f"{version // 1000}.{version % 1000 // 10}")


# ---- Claims: libraries ---------------------------------------------------------------------------


def named(paths, library):
    """The path of `library` among others: libcublas is not libcublasLt."""
    return next((path for path in paths if path.rsplit("/", 1)[1].split(".so")[0] == library), None)


def libraries(run):
    answer = run.answers["gemm"]
    for library in LIBRARIES:
        entry = answer.loaded(library)
        run.claim(f"{library} was loaded from a file that exists", True, bool(entry) and Path(entry["path"]).is_file())
    sizes = [(copy["path"], copy["bytes"]) for library in answer.report["libraries"] for copy in library["copies"] if copy["bytes"] is not None]
    wrong = [path for path, size in sizes if not Path(path).is_file() or Path(path).stat().st_size != size]
    run.claim(f"each of {len(sizes)} listed copies is there, with its size", [], wrong)
    loaded_and_listed(run, answer)
    traced(run, answer)
    if not run.torch:
        return run.skip("what is loaded is what torch loads", "torch is not here")
    theirs = run.torch[0]["mapped"]
    for library in ["libcuda", "libcudart", "libcublas", "libcublasLt", "libcupti"]:
        path = named(theirs, library)
        if path is None:
            run.skip(f"{library} is the file that torch maps", "torch maps none")
        else:
            run.claim(f"{library} is the file that torch maps", path, file_of(answer, library))
    cupti = file_of(answer, "libcupti") or "none"
    if named(theirs, "libcupti"):
        run.claim("CUPTI comes from torch's wheels", "in site-packages or dist-packages", cupti, "-packages/" in cupti)


def file_of(answer, library):
    """What was mapped for a library; cuBLASLt comes with cuBLAS."""
    if library == "libcublasLt":
        return named((answer.loaded("libcublas") or {}).get("also", []), library)
    return (answer.loaded(library) or {}).get("path")


def loaded_and_listed(run, answer):
    listed = {copy["path"] for library in answer.report["libraries"] for copy in library["copies"]}
    for library in ["libcudart", "libcublas", "libcublasLt", "libcupti"]:
        path = file_of(answer, library)
        run.claim(f"{library} that was loaded is one of the copies listed", True, path in listed)


def traced(run, answer):
    cupti = answer.gpu()["cupti"] or {}
    run.claim("CUPTI's records name the kernel, and no other", ["cudacheck_smoke"], cupti.get("kernels"))
    params = Path("/proc/driver/nvidia/params")
    restricted = re.search(r"RmProfilingAdminOnly: *(\d)", params.read_text()) if params.is_file() else None
    if restricted is None:
        return run.skip("hardware counters", "the driver does not say whether they are restricted")
    capabilities = re.search(r"CapEff:\s*([0-9a-f]+)", Path("/proc/self/status").read_text())
    allowed = restricted[1] == "0" or bool(int(capabilities[1], 16) >> 21 & 1)
    run.claim(f"hardware counters, RmProfilingAdminOnly {restricted[1]}", allowed, cupti.get("counters"))


# ---- Claims: ten runs in a row, and their speed --------------------------------------------------


def ten_runs(run, runs):
    before = used_memory() if have_smi() else None
    start = time.perf_counter()
    while len(run.ten) < runs and (len(run.ten) < 3 or time.perf_counter() - start < TEN_RUNS):
        run.ten.append(run.cudacheck())
    run.claim(f"{len(run.ten)} runs in a row", ["exit 0, verified, level gemm"], sorted({answer.reached() for answer in run.ten}))
    run.seconds["cudacheck"] = [answer.seconds for answer in run.ten]
    if before is None:
        run.skip("GPU memory used is as before", "nvidia-smi is not here")
    else:
        settles(run, "GPU memory used is as before, in MiB", before, LEAK)
    names = [path.read_text().strip() for path in Path("/proc").glob("[0-9]*/comm") if path.exists()]
    run.claim("no probe is left behind", [], [name for name in names if re.match(r"cc\d+/", name)])


def settles(run, what, before, apart):
    """Memory goes back a moment after its process has ended."""
    for _ in range(20):
        after = used_memory()
        near = all(abs(a - b) <= apart for a, b in zip(before, after))
        if near:
            break
        time.sleep(0.25)
    run.claim(what, f"{before} ± {apart}", after, near)


def median_speed(run, name):
    """Of ten runs and device 0: TFLOP/s, and the share of the peak, if that is known."""
    speeds = [speed for answer in run.ten if answer.gpu() for speed in answer.gpu()["speed"] if speed["format"] == name]
    shares = [speed["peak_share"] for speed in speeds if speed["peak_share"] is not None]
    return statistics.median(speed["tflops"] for speed in speeds), statistics.median(shares) if shares else None


def torch_rates(run, name):
    return [rate for peer in run.torch for rate in peer["rates"].get(name, [])]


def gemm_speed(run):
    timed = run.answers["gemm"].gpu()["speed"]
    if not timed:
        return run.claim("products were timed", "yes", "no")
    for name in (speed["format"] for speed in timed):
        ours, share = median_speed(run, name)
        if share is None:
            run.skip(f"{name}: share of the device's peak", "the peak of this device is not known")
        else:
            run.claim(f"{name}: share of the device's peak", "%g to %g" % PEAK_SHARE, f"{share:.3f}", within(share, *PEAK_SHARE))
        against_matmul(run, name, ours)


def against_matmul(run, name, ours):
    rates = torch_rates(run, name)
    if not rates:
        return run.skip(f"{name}: TFLOP/s against torch.matmul", "torch is not here" if not run.torch else "torch did not multiply")
    theirs = statistics.median(rates)
    seen = f"{ours / theirs:.3f} ({ours:.1f} / {theirs:.1f}; torch's spread {min(rates):.1f} to {max(rates):.1f})"
    run.claim(f"{name}: TFLOP/s over torch.matmul's", "%g to %g" % SPEED_AGREES, seen, within(ours / theirs, *SPEED_AGREES))
    run.claim(f"{name}: torch's product is exact as well", True, all(peer["exact"].get(name) for peer in run.torch))


def second_torch(run):
    if run.python:
        ask_torch(run)
        run.claim("torch works a second time", "yes", run.torch[-1].get("error", "yes"))
        run.torch = [peer for peer in run.torch if "devices" in peer]


def against_peers(run, runs):
    """Whole programs by the wall clock, one after the other in rounds, so that a drift meets all alike."""
    commands = {"cudacheck health": [run.binary, "health"],
                "cudacheck health --level driver": [run.binary, "health", "--level", "driver"]}
    commands.update({f"cudacheck --level {level}": [run.binary, "--level", level] for level in LEVELS[:-1]})
    if have_smi():
        commands.update({"nvidia-smi": ["nvidia-smi"], "nvidia-smi -L": ["nvidia-smi", "-L"]})
    if run.python:
        commands["torch one-liner"] = [run.python, "-c", "import torch; torch.cuda.is_available()"]
    end = time.perf_counter() + min(ROUNDS, LAST_START + 40 - run.spent())
    for turn in range(runs + 1):
        for name, command in commands.items():
            seconds = execute(command).seconds
            if turn:  # the first round warms the caches
                run.seconds.setdefault(name, []).append(seconds)
        if turn >= 3 and time.perf_counter() > end:
            break
    for name in ["nvidia-smi", "torch one-liner"]:
        if name not in commands:
            run.skip(f"speed against {name}", "it is not here")


def expected_speed(run):
    """Each expectation with what was seen. A benchmark: it is shown, and decides nothing."""
    for name, peer, most in SPEEDS:
        if name in run.seconds and peer in run.seconds:
            ratio = statistics.median(run.seconds[name]) / statistics.median(run.seconds[peer])
            yield name, peer, most, ratio


# ---- Claims: faults that need hardware -----------------------------------------------------------


def hidden_by_variable(run):
    for value in ["99", "", "-1"]:
        answer = run.injured("hidden devices", "--level", "driver", CUDA_VISIBLE_DEVICES=value)
        # Drivers answer cuInit with 100 or succeed and count none.
        known = answer.leading() in ("driver.no-devices", "driver.init")
        known = known and (answer.leading() == "driver.no-devices" or "returned 100" in answer.words())
        run.claim(f"CUDA_VISIBLE_DEVICES='{value}'", "exit 1, driver.no-devices or driver.init with 100", answer.ending(), answer.status == 1 and known)
        blamed = f"CUDA_VISIBLE_DEVICES={value}" in answer.words() and "nset CUDA_VISIBLE_DEVICES" in answer.words()
        run.claim(f"CUDA_VISIBLE_DEVICES='{value}' is named as the reason, with the cure", True, blamed)
    first = run.cudacheck("--level", "driver", CUDA_VISIBLE_DEVICES="0,99")
    run.claim("CUDA_VISIBLE_DEVICES=0,99 leaves the first", ["exit 0, no fault", 1], [first.ending(), sum(gpu["ordinal"] is not None for gpu in first.report["gpus"])])


# $1: a directory of ours; $2: the nodes that stay; then the command.
PRIVATE_DEV = """
set -e; mount -t tmpfs tmpfs "$1"
for node in /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty $2; do
    if [ -c "$node" ]; then : > "$1/${node#/dev/}"; mount --bind "$node" "$1/${node#/dev/}"; fi
done
mount -o remount,ro "$1"; mount --rbind "$1" /dev; shift 2; exec "$@"
"""


def private_dev(scratch, stay):
    """Words before a command that give it a /dev of its own, which nobody can make nodes in."""
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    return [*unshare, "sh", "-c", PRIVATE_DEV, "sh", str(scratch), " ".join(stay)]


def hidden_nodes(run):
    nodes = sorted(str(path) for path in Path("/dev").glob("nvidia*") if path.is_char_device())
    with tempfile.TemporaryDirectory(prefix="gpu-dev-") as scratch:
        tried = execute([*private_dev(scratch, []), "true"])
        if tried.status != 0 or run.rehearsal or not nodes:
            why = "fakes need no device nodes" if run.rehearsal else f"a private /dev is refused: {tried.err.strip()[-200:]}"
            why = why if nodes or run.rehearsal else "this machine's GPU has no nodes /dev/nvidia*"
            return run.skip("device nodes hidden", why)
        loaded = Path("/proc/driver/nvidia/version").exists()
        answer = run.injured("no device nodes", "--level", "driver", prefix=private_dev(scratch, []))
        run.claim("no device nodes", f"exit 1, launch.{'not-requested' if loaded else 'driver-not-loaded'}", answer.ending())
        stay = [node for node in nodes if "uvm" not in node]
        answer = run.injured("no /dev/nvidia-uvm", "--level", "driver", prefix=private_dev(scratch, stay))
        run.claim("no /dev/nvidia-uvm", "exit 1, driver.init", answer.ending())
        run.claim("no /dev/nvidia-uvm: number and node are named", True, "returned 999" in answer.words() and "/dev/nvidia-uvm does not exist" in answer.words())


def stub_first(run):
    libcuda = run.answers["gemm"].loaded("libcuda")
    stubs = [copy["path"] for library in run.answers["gemm"].report["libraries"] if library["name"] == "libcuda"
             for copy in library["copies"] if copy["verdict"] == "stub"]
    with tempfile.TemporaryDirectory(prefix="gpu-stub-") as scratch:
        if stubs:
            link = Path(scratch, "toolkit", "libcuda.so.1")
            link.parent.mkdir()
            link.symlink_to(stubs[0])
            stub_case(run, "the toolkit's own stub first on the path", link.parent)
        else:
            run.skip("the toolkit's own stub first on the path", "no toolkit with stubs is here")
        built, why = build_stub(Path(scratch), libcuda["path"])
        if built is None:
            return run.skip("a stub built here first on the path", why)
        # Once where the path tells, once where only the number does.
        for name in ["stubs", "elsewhere"]:
            place = Path(scratch, name)
            place.mkdir()
            shutil.copy(built, place / "libcuda.so.1")
            stub_case(run, f"a stub in a directory '{name}' first on the path", place)


def stub_case(run, what, directory):
    answer = run.injured(what, "--level", "driver", LD_LIBRARY_PATH=first_path(directory))
    run.claim(what, "exit 1, image.stub-libcuda", answer.ending())
    run.claim(f"{what}: cuInit's number is named", True, "cuInit returned 34" in answer.words())


def build_stub(scratch, libcuda):
    """A library with every function of this driver, each of which answers 34. Or why there is none."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or shutil.which("nm") is None:
        return None, "no C compiler with nm is here"
    listed = execute(["nm", "-D", "--defined-only", libcuda])
    names = sorted(set(re.findall(r" [TtWi] (cu[A-Z]\w*)", listed.out)))
    if not names:
        return None, f"nm lists no function of {libcuda}: {listed.err.strip()[-200:]}"
    (scratch / "stub.c").write_text("".join(f"int {name}(void) {{ return 34; }}\n" for name in names))
    done = execute([compiler, "-w", "-fno-builtin", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", scratch / "stub.so", scratch / "stub.c"])
    return (scratch / "stub.so", "") if done.status == 0 else (None, f"the compiler says: {done.err.strip()[-200:]}")


def deadlines(run):
    for time_text, seconds in [("10ms", 0.01), ("100ms", 0.1), ("500ms", 0.5)]:
        answer = run.injured(f"--timeout {time_text}", "--timeout", time_text)
        run.claim(f"--timeout {time_text}: back in time", f"by {seconds + LATE:.2f} s", f"{answer.seconds:.3f} s", answer.seconds <= seconds + LATE)
        done = answer.status == 0 and answer.seconds <= seconds  # so fast that nothing is to be said
        told = answer.status in (1, 3) and answer.leading().startswith("probe.")
        run.claim(f"--timeout {time_text}: says what did not end", "exit 1 or 3, probe.*", answer.ending(), told or done)
    after = run.cudacheck("--level", "smoke")
    run.claim("after probes that were killed", "exit 0, verified, level smoke", after.reached())
    command = [run.binary, "--level", "smoke", "--format", "json"]
    two = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment({})) for _ in range(2)]
    run.claim("two at once", [0, 0], [process.wait(PATIENCE) for process in two])


def two_copies(run):
    answer = run.answers["gemm"]
    first, light = file_of(answer, "libcublas"), file_of(answer, "libcublasLt")
    if not first or not light:
        return run.skip("two copies of cuBLAS", "cuBLAS was not loaded with its cuBLASLt")
    copies = {copy["path"]: copy for library in answer.report["libraries"] for copy in library["copies"]}
    soname = soname_of(copies, first)
    with tempfile.TemporaryDirectory(prefix="gpu-copies-") as scratch:
        second = Path(scratch, soname)
        shutil.copy(first, second)
        shutil.copy(light, Path(scratch, soname_of(copies, light)))
        seen = two_copies_case(run, "a second copy of cuBLAS first on the path", soname, scratch)
        run.claim("the second copy: all products are exact", "exit 0, verified, level gemm", seen.reached())
        listed = [copy["path"] for library in seen.report["libraries"] for copy in library["copies"]]
        run.claim("the second copy: both are listed", [True, True], [first in listed, str(second) in listed])
    other = next((path for path, copy in copies.items() if copy["soname"] == soname and path != first and copy["verdict"] != "stub"), None)
    if other is None:
        return run.skip("another release of cuBLAS first on the path", f"there is one file of {soname} here")
    seen = two_copies_case(run, "another release of cuBLAS first on the path", soname, Path(other).parent)
    run.claim("another release: verified, or told as a mix-up", "exit 0, or 1 with math.*", seen.ending(), seen.status == 0 or seen.leading().startswith("math."))


def soname_of(copies, path):
    known = copies.get(path, {}).get("soname")
    return known or re.sub(r"(\.so\.\d+).*", r"\1", Path(path).name)


def two_copies_case(run, what, soname, directory):
    """The copy that the report names against the one that torch, or the plain loader, maps."""
    changes = {"LD_LIBRARY_PATH": first_path(directory)}
    seen = run.injured(what, **changes)
    judge = "torch" if run.python else soname
    theirs = child("mapped", judge, python=run.python or sys.executable, **changes)
    if isinstance(theirs, dict):
        run.skip(f"{what}: which one is loaded", f"{judge} does not load here: {theirs['error']}")
        return seen
    for library in ["libcublas", "libcublasLt"]:
        run.claim(f"{what}: {library} is the file that {judge} maps", named(theirs, library), file_of(seen, library))
    return seen


def busy(run):
    """The memory of device 0 is filled by another process."""
    before = used_memory() if have_smi() else None
    command = [sys.executable, Path(__file__).resolve(), "--child", "fill", str(KEPT_FREE)]
    filler = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment({}))
    try:
        free = filler.stdout.readline().strip()
        run.claim("another process took the memory", f"all but about {KEPT_FREE} MiB", free or filler.stderr.read()[-200:], bool(re.match(r"free \d+$", free)) and int(free.split()[1]) < KEPT_FREE + 64)
        answer = run.injured("memory filled by another process")
        gpu, note = answer.gpu(), answer.finding("device.busy")
        run.claim("memory filled: verdict", ["exit 0, no fault", "verified"], [answer.ending(), answer.report["verdict"]])
        run.claim("memory filled: device.busy is noted", "note", note["severity"] if note else "no finding")
        run.claim("memory filled: the GPU is busy, verified to level driver", ["busy", "driver"], [gpu["state"], gpu["level"]])
        healthy = execute([run.binary, "health", "--level", "smoke"])
        run.claim("memory filled: cudacheck health", "exit 0, healthy", f"exit {healthy.status}, {healthy.out.split(':')[0]}")
        run.claim("memory filled: the other process goes on", "yes", "yes" if filler.poll() is None else f"exit {filler.poll()}")
    finally:
        filler.stdin.close()
        try:
            filler.wait(60)
        except subprocess.TimeoutExpired:
            filler.kill()
    if before is not None:
        settles(run, "the memory is free again, in MiB used", before, 64)


SETTINGS = ["persistence_mode", "compute_mode", "mig.mode.current", "ecc.mode.current", "power.limit", "clocks.max.sm"]


def settings_before(run):
    run.smi["settings"] = smi(SETTINGS) if have_smi() else None


def settings_after(run):
    if run.smi.get("settings") is None:
        return run.skip("the card's settings are as they were", "nvidia-smi is not here")
    run.claim("the card's settings are as they were", run.smi["settings"], smi(SETTINGS))


def in_time(run):
    run.claim("everything took", f"under {LIMIT} s", f"{run.spent():.0f} s", run.spent() < LIMIT)


# ---- Evidence ------------------------------------------------------------------------------------


def table(head, rows):
    cells = [[re.sub(r"\s+", " ", str(cell)).replace("|", "\\|") for cell in row] for row in rows]
    return ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *cells]]


def heading(run, title):
    report = run.answers["gemm"].report
    driver, gpu = report["driver"] or {}, run.answers["gemm"].gpu()
    # The same card of every report, without a promise that the others are alike.
    smis = (run.smi.get("before") or [{}])[0]
    lines = [f"# {title}", ""]
    if run.rehearsal:
        lines += ["**A rehearsal on fake libraries: it shows that the script runs. It is no evidence of anything.**", ""]
    torch = f"{run.torch[0]['version']}, built for CUDA {run.torch[0]['cuda']}" if run.torch else "not here"
    return lines + [
        f"- device: {gpu['name']}, {gpu['multiprocessors']} multiprocessors, compute capability {gpu['capability']}; {len(report['gpus'])} in the report",
        f"- driver: {driver.get('version')}, CUDA {driver.get('cuda')}, persistence mode {smis.get('persistence_mode', 'unknown')}",
        f"- torch: {torch}",
        f"- cudacheck: {report['version']}",
        f"- machine: {platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}",
        f"- date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
        "",
    ]


def claims_page(run):
    findings = [f"{finding['id']} ({finding['severity']})" for finding in run.answers["gemm"].findings()]
    lines = heading(run, "Acceptance run: claims")
    lines += [f"{run.count('ok')} held, {run.count('DIFFERS')} differ, {run.count('skipped')} were skipped.",
              f"Findings at level gemm: {', '.join(findings) or 'none'}.", ""]
    for section in dict.fromkeys(row[0] for row in run.rows):
        rows = [row[1:4] + ({"skipped": "skipped: " + row[3]}.get(row[4], row[4]),) for row in run.rows if row[0] == section]
        rows = [row if not row[3].startswith("skipped") else (row[0], "", "", row[3]) for row in rows]
        lines += [f"## {section}", "", *table(["claim", "expected", "seen", "verdict"], rows), ""]
    return "\n".join(lines)


def milliseconds(seconds):
    return f"{seconds * 1e3:.1f}"


def speed_page(run):
    lines = heading(run, "Acceptance run: speed")
    lines += ["Whole programs by the wall clock, in ms. A ratio is the peer's median over this one: above 1, this one is faster.", ""]
    peers = [peer for peer in ["nvidia-smi", "nvidia-smi -L", "torch one-liner"] if run.seconds.get(peer)]
    rows = []
    for name, spent in run.seconds.items():
        median = statistics.median(spent)
        ratios = [f"{statistics.median(run.seconds[peer]) / median:.2f}" for peer in peers]
        rows.append([name, milliseconds(median), milliseconds(min(spent)), milliseconds(max(spent)), len(spent), *ratios])
    lines += [*table(["command", "median", "least", "most", "runs", *peers], rows), ""]
    rows = [[name, peer, f"{most:.2f}", f"{ratio:.2f}", "yes" if ratio <= most else "no"] for name, peer, most, ratio in expected_speed(run)]
    lines += ["Expected before measuring: at most so many times the peer's time.", "", *table(["command", "peer", "at most", "seen", "as expected"], rows), ""]
    lines += ["## Products", "", "Square, C in the inputs' format, in TFLOP/s: the median of "
              f"{len(run.ten)} runs of cudacheck, and of {len(torch_rates(run, 'f32'))} measurements of torch.matmul.", ""]
    lines += [*table(["format", "n", "cudacheck", "torch", "ratio", "peak", "share"], product_rows(run)), ""]
    lines += ["## Stages", "", f"Of cudacheck at level gemm, in ms; medians of {len(run.ten)} runs. A stage of one GPU runs beside those of others.", ""]
    return "\n".join([*lines, *table(["stage", "GPU", "median", "most", "outcomes"], stage_rows(run)), ""])


def product_rows(run):
    for speed in run.answers["gemm"].gpu()["speed"]:
        rates = torch_rates(run, speed["format"])
        ours, share = median_speed(run, speed["format"]) if run.ten else (speed["tflops"], speed["peak_share"])
        theirs = statistics.median(rates) if rates else None
        yield [speed["format"], speed["size"][0], f"{ours:.1f}", f"{theirs:.1f}" if theirs else "-", f"{ours / theirs:.3f}" if theirs else "-",
               f"{speed['peak_tflops']:.1f}" if speed["peak_tflops"] else "-", f"{share:.3f}" if share else "-"]


def stage_rows(run):
    spent, outcomes = {}, {}
    for answer in run.ten or [run.answers["gemm"]]:
        for stage in answer.report["stages"] if answer.report else []:
            key = (stage["name"], stage["gpu"])
            spent.setdefault(key, []).append(stage["seconds"])
            outcomes.setdefault(key, set()).add(stage["outcome"])
    for (name, gpu), seconds in spent.items():
        yield [name, "-" if gpu is None else gpu, milliseconds(statistics.median(seconds)), milliseconds(max(seconds)), ", ".join(sorted(outcomes[name, gpu]))]


def write(run, directory):
    """After each section anew, so that what was seen is there whatever comes next."""
    directory.mkdir(parents=True, exist_ok=True)
    gemm = run.answers.get("gemm")
    if not gemm or not gemm.report or not gemm.gpu():
        return
    as_json = lambda value: json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n"
    others = {level: answer.report for level, answer in run.answers.items() if level != "gemm"}
    others["ten runs"] = [{"status": answer.status, "seconds": answer.seconds, "speed": answer.gpu()["speed"] if answer.gpu() else None} for answer in run.ten]
    files = {"report.json": as_json(gemm.report), "report.txt": run.human, "levels.json": as_json(others),
             "faults.json": as_json(run.faults), "table.md": claims_page(run), "speed.md": speed_page(run),
             "peers.json": as_json({"nvidia-smi": run.smi, "torch": run.torch, "seconds": run.seconds})}
    for name, content in files.items():
        (directory / name).write_text(content, encoding="utf-8")


def place(run, out, name):
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "gpu"
    mark = "rehearsal-" if run.rehearsal else ""
    return out / f"{mark}{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}-{slug}"


def print_table(run):
    wide = max(len(row[1]) for row in run.rows)
    for section in dict.fromkeys(row[0] for row in run.rows):
        print(f"\n{section}")
        for _, what, expected, seen, verdict in (row for row in run.rows if row[0] == section):
            seen = seen if verdict != "DIFFERS" else f"{seen}   expected: {expected}"
            print(f"  {verdict:<8} {what:<{min(wide, 60)}}  {seen[:200]}")
    print()
    for _, what, expected, seen, _ in (row for row in run.rows if row[4] == "DIFFERS"):
        print(f"DIFFERS  {what}: {seen[:300]}   expected: {expected[:200]}")
    print(f"{run.count('ok')} claims held, {run.count('DIFFERS')} differ, {run.count('skipped')} were skipped, in {run.spent():.0f} s")


# ---- The whole -----------------------------------------------------------------------------------


def fakes(answer):
    """Whether fake libraries are in play; they must never make evidence."""
    libcuda = answer.loaded("libcuda")
    signs = [os.environ.get("FAKE_GPU"), Path("/etc/fake-gpu").exists()]
    return any(signs) or bool(libcuda) and b"fake_take_launches" in Path(libcuda["path"]).read_bytes()


def no_gpu(answer):
    """Says that there is none, or that cudacheck does not see one that is there."""
    listed = execute(["nvidia-smi", "-L"]) if have_smi() else None
    if listed and listed.status == 0 and listed.out.startswith("GPU "):
        print(f"DIFFERS: nvidia-smi lists a GPU that cudacheck does not see.\n{listed.out}cudacheck: {answer.report['summary']}")
        return 1
    print(f"There is no GPU here, so nothing was verified. cudacheck says: {answer.report['summary']} ({answer.ending()})")
    return 3


def plan(runs):
    yield "The main job", settings_before
    yield "The main job", levels
    yield "Health checks", health
    yield "Smoke kernel", smoke
    yield "Products and copies", products
    yield "Facts against nvidia-smi", facts
    yield "torch", find_torch
    yield "Devices against torch", against_torch
    yield "Libraries", libraries
    yield "Runs in a row", lambda run: ten_runs(run, runs)
    yield "torch", second_torch
    yield "Speed of products", gemm_speed
    yield "Fault: hidden devices", hidden_by_variable
    yield "Fault: hidden nodes", hidden_nodes
    yield "Fault: a stub first on the path", stub_first
    yield "Fault: deadlines", deadlines
    yield "Fault: memory filled by another process", busy
    yield "Fault: two copies of cuBLAS", two_copies
    yield "Speed against peers", lambda run: against_peers(run, runs)
    yield "At the end", settings_after
    yield "At the end", in_time


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path, help="cudacheck, built for release")
    parser.add_argument("--out", type=Path, help="where the folder of evidence goes; default docs/evidence")
    parser.add_argument("--runs", type=int, default=10, help="runs of which medians are taken")
    parser.add_argument("--rehearse", action="store_true", help="on fake libraries; what is written is no evidence")
    return parser.parse_args()


def main():
    chosen = options()
    run = Run(chosen.binary.resolve(), chosen.rehearse)
    first = run.cudacheck("--level", "driver")
    if first.report is None:
        print(f"{chosen.binary} prints no report: exit {first.status}, {first.error[-300:]}", file=sys.stderr)
        return 2
    if not first.report["gpus"]:
        return no_gpu(first)
    if fakes(first) and not run.rehearsal:
        print("Fake libraries are in play: --rehearse is for them, and makes no evidence.", file=sys.stderr)
        return 2
    out = chosen.out or (Path(tempfile.mkdtemp(prefix="rehearsal-")) if run.rehearsal else ROOT / "docs" / "evidence")
    directory = place(run, out, first.gpu()["name"])
    for name, job in plan(chosen.runs):
        run.section(name, job)
        try:
            write(run, directory)
        except Exception:  # the claims are printed all the same
            traceback.print_exc()
    print_table(run)
    print(f"{'REHEARSAL, no evidence' if run.rehearsal else 'written'}: {directory}")
    return 1 if run.count("DIFFERS") else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        {"torch": child_torch, "mapped": child_mapped, "fill": child_fill}[sys.argv[2]](*sys.argv[3:])
        sys.exit(0)
    sys.exit(main())
