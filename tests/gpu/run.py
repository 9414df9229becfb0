#!/usr/bin/env python3
"""The acceptance run on a machine with an NVIDIA GPU: checks, injects faults, measures, writes evidence.

    tests/gpu/run.py BINARY [--out docs/evidence] [--runs 10]

Compares cudacheck's report with nvidia-smi and torch in the same run, injects faults that need hardware, and compares
the speed of each level with its peers'. Expectations were written before the first measurement. No setting of the GPU
is changed: clocks, power, MIG, persistence and compute mode stay as they are, and memory is filled by allocations only.

Exit status: 0 all claims hold, 1 at least one differs, 3 no GPU. `--rehearse` tests this script on the fake libraries
(LD_LIBRARY_PATH, FAKE_GPU) and writes no evidence.
"""

import argparse
import datetime
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEVELS = ["nvml", "driver", "smoke", "gemm"]
# cudacheck's TFLOP/s divided by torch's, for the same shape, type and data.
SPEED_AGREES = (0.85, 1.15)

TORCH = r"""
import json, statistics, torch
p = torch.cuda.get_device_properties(0)
out = {"version": torch.__version__, "cuda": torch.version.cuda, "name": p.name, "sms": p.multi_processor_count,
       "capability": f"{p.major}.{p.minor}", "memory": p.total_memory, "speed": {}, "exact": {}}
n = SIZE
def operands(dtype):
    g = torch.Generator(device="cuda").manual_seed(1)
    sign = lambda: torch.randint(0, 2, (n, n), generator=g, device="cuda").float() * 2 - 1
    a, b = sign(), sign()
    paired = n - 192
    a[:, 1:paired:2] = a[:, 0:paired:2]
    b[1:paired:2] = -b[0:paired:2]
    want = (a.double() @ b.double())
    return a.to(dtype), b.to(dtype), want
for name, dtype, tf32 in [("f32", torch.float32, False), ("tf32", torch.float32, True),
                          ("f16", torch.float16, False), ("bf16", torch.bfloat16, False)]:
    torch.backends.cuda.matmul.allow_tf32 = tf32
    a, b, want = operands(dtype)
    c = torch.matmul(a, b)
    out["exact"][name] = bool((c.double() == want).all())
    del want
    for _ in range(10): torch.matmul(a, b, out=c)
    torch.cuda.synchronize()
    rates = []
    for _ in range(5):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        repeats = 20
        start.record()
        for _ in range(repeats): torch.matmul(a, b, out=c)
        end.record(); torch.cuda.synchronize()
        rates.append(2 * n**3 * repeats / (start.elapsed_time(end) / 1e3) / 1e12)
    out["speed"][name] = statistics.median(rates)
print(json.dumps(out))
"""

# Allocates all free memory except the given MiB, prints "full" and waits for the end of its input.
FILL = r"""
import sys, torch
keep = int(sys.argv[1]) << 20
torch.cuda.init()
held = []
while True:
    free, _ = torch.cuda.mem_get_info()
    chunk = min(free - keep, 4 << 30)
    if chunk < (16 << 20): break
    held.append(torch.empty(chunk, dtype=torch.uint8, device="cuda"))
print("full", flush=True)
sys.stdin.read()
"""

STUB = """
#define ANSWER(name) int name() { return 34; }
ANSWER(cuInit) ANSWER(cuDriverGetVersion) ANSWER(cuDeviceGetCount) ANSWER(cuDeviceGet) ANSWER(cuDeviceGetName)
"""


class Run:
    """Claims with what was expected and seen, one row each."""

    def __init__(self, binary):
        self.binary = str(binary)
        self.rows = []

    def cudacheck(self, *arguments, **environment):
        """Report, exit status and seconds. The report is None if none was printed."""
        start = time.perf_counter()
        done = subprocess.run([self.binary, "--format", "json", *arguments], capture_output=True, text=True,
                              env=dict(os.environ, **environment), stdin=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        try:
            return json.loads(done.stdout), done.returncode, seconds
        except ValueError:
            return None, done.returncode, seconds

    def claim(self, what, expected, seen, holds=None):
        holds = expected == seen if holds is None else holds
        self.rows.append((what, str(expected), str(seen), "ok" if holds else "DIFFERS"))
        print(f"{'ok     ' if holds else 'DIFFERS'} {what}: {seen}" + ("" if holds else f" instead of {expected}"))

    def skip(self, what, why):
        self.rows.append((what, "", why, "skipped"))
        print(f"skipped {what}: {why}")

    def differs(self):
        return any(row[3] == "DIFFERS" for row in self.rows)


def leading(report):
    grave = [f["id"] for f in report["findings"] if f["severity"] in ("error", "unknown")] if report else ["no report"]
    return grave[0] if grave else "none"


def ids(report):
    return [finding["id"] for finding in report["findings"]] if report else []


def smi(*fields):
    done = subprocess.run(["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"],
                          capture_output=True, text=True)
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.strip().splitlines()]
    return [dict(zip(fields, row)) for row in rows]


def torch(size):
    """Torch's results: None without torch, its error if it fails."""
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode != 0:
        return None
    done = subprocess.run([sys.executable, "-c", TORCH.replace("SIZE", str(size))], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr[-500:]}


def levels(run):
    """Runs the main command at each level and returns the last report."""
    report = None
    for level in LEVELS:
        report, status, _ = run.cudacheck("--level", level)
        seen = (status, report and report["verdict"], report and report["level"])
        run.claim(f"level {level}", (0, "verified", level), seen)
    return report


def facts(run, report):
    """Compares the report's facts about each GPU with nvidia-smi."""
    fields = ["index", "name", "uuid", "pci.bus_id", "memory.total", "driver_version", "compute_mode",
              "persistence_mode", "ecc.mode.current", "pcie.link.gen.max", "pcie.link.width.max", "clocks.max.sm",
              "compute_cap"]
    if not shutil.which("nvidia-smi"):
        return run.skip("facts, by nvidia-smi", "no nvidia-smi")
    for row in smi(*fields):
        gpu = next((gpu for gpu in report["gpus"] if gpu["uuid"] == row["uuid"]), None)
        label = f"GPU {row['index']}"
        run.claim(f"{label} is in the report", True, gpu is not None)
        if not gpu:
            continue
        health = gpu["health"]
        run.claim(f"{label} name", row["name"], gpu["name"])
        run.claim(f"{label} compute capability", row["compute_cap"], gpu["capability"])
        # nvidia-smi prints eight digits of the PCI domain, the driver four.
        run.claim(f"{label} PCI", row["pci.bus_id"].lower()[-12:], gpu["pci"].lower()[-12:])
        run.claim(f"{label} memory in MiB", int(row["memory.total"]), health["memory_total"] >> 20)
        run.claim(f"{label} driver", row["driver_version"], report["driver"]["version"])
        run.claim(f"{label} compute mode", row["compute_mode"].lower().replace("_", "-"), health["compute_mode"])
        on = {"Enabled": True, "Disabled": False}
        for field, ours in [("persistence_mode", "persistence"), ("ecc.mode.current", "ecc_enabled")]:
            if row[field] in on:
                run.claim(f"{label} {ours}", on[row[field]], health[ours])
            else:
                run.claim(f"{label} {ours} is not available", True, isinstance(health[ours], dict))
        for field, ours in [("pcie.link.gen.max", "pcie_generation"), ("pcie.link.width.max", "pcie_width")]:
            run.claim(f"{label} {ours}", row[field], str(health[ours].get("max")))
        run.claim(f"{label} highest SM clock", row["clocks.max.sm"], str(health["sm_clock_max"]))
        run.claim(f"{label} every SM ran the kernel", gpu["smoke"]["sms_present"], gpu["smoke"]["sms_covered"])
        run.claim(f"{label} cooperative launch", True, gpu["smoke"]["cooperative"])


def libraries(run, report):
    loaded = {entry["library"]: entry for entry in report["loaded"]}
    for name in ["libcuda", "libnvidia-ml", "libcudart", "libcublas", "libcupti"]:
        run.claim(f"{name} was loaded", True, name in loaded)
    gpu = report["gpus"][0]
    if gpu["cupti"]:
        run.claim("CUPTI recorded the kernel", ["cudacheck_smoke"], gpu["cupti"]["kernels"])
    wheel = next((c["path"] for lib in report["libraries"] if lib["name"] == "libcublas" for c in lib["copies"]
                  if c["origin"] == "wheel" and c["verdict"] == "used"), None)
    if wheel and "libcublas" in loaded:
        run.claim("torch's cuBLAS was loaded", wheel, loaded["libcublas"]["path"])
        run.claim("one cuBLASLt was loaded with it", 1, sum("libcublasLt" in path for path in loaded["libcublas"]["also"]))
        run.claim("CUPTI was loaded from torch's wheels", True, "/nvidia/" in loaded.get("libcupti", {}).get("path", ""))
    else:
        run.skip("torch's cuBLAS was loaded", "no cuBLAS wheel is used here")


def against_torch(run, report):
    gpu = report["gpus"][0]
    if not gpu["speed"]:
        return run.skip("GEMM, by torch", "nothing was timed"), None
    peer = torch(gpu["speed"][0]["size"][0])
    if peer is None:
        return run.skip("GEMM, by torch", "no torch"), None
    if "error" in peer:
        return run.claim("torch runs", "a result", peer["error"]), None
    run.claim("SMs, by torch", peer["sms"], gpu["sms"])
    run.claim("compute capability, by torch", peer["capability"], gpu["capability"])
    for speed in gpu["speed"]:
        theirs = peer["speed"].get(speed["format"])
        ratio = speed["tflops"] / theirs
        low, high = SPEED_AGREES
        run.claim(f"TFLOP/s {speed['format']} / torch's", f"{low} to {high}",
                  f"{ratio:.3f} ({speed['tflops']:.1f} / {theirs:.1f})", low <= ratio <= high)
        run.claim(f"torch's {speed['format']} product is exact", True, peer["exact"][speed["format"]])
        if speed["peak_share"] is not None:
            run.claim(f"share of peak {speed['format']}", "at most 1.02", f"{speed['peak_share']:.3f}", speed["peak_share"] <= 1.02)
    return None, peer


def faults(run, scratch, report):
    """Injects harmless faults and checks the leading finding."""
    seen, status, _ = run.cudacheck("--level", "driver", CUDA_VISIBLE_DEVICES="99")
    run.claim("hidden devices", (1, True), (status, leading(seen) in ("launch.visible-devices",)))
    _, status, _ = run.cudacheck("--gpus", "99", "--level", "driver")
    run.claim("a GPU that does not exist", 2, status)
    seen, status, seconds = run.cudacheck("--level", "gemm", "--timeout", "200ms")
    run.claim("ends within a timeout of 200 ms", "under 0.4 s", f"{seconds:.3f} s", seconds < 0.4)

    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler:
        stubs = scratch / "stubs"
        stubs.mkdir()
        (stubs / "stub.c").write_text(STUB)
        subprocess.run([compiler, "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", stubs / "libcuda.so.1", stubs / "stub.c"], check=True)
        # The stub exports only a few functions and fails in all of them.
        seen, status, _ = run.cudacheck("--level", "driver", LD_LIBRARY_PATH=str(stubs))
        run.claim("a stub first on the path", (1, "image.stub-libcuda"), (status, leading(seen)))
    else:
        run.skip("a stub first on the path", "no C compiler")

    blas = next((entry for entry in report["loaded"] if entry["library"] == "libcublas"), None)
    if blas:
        copies = scratch / "second"
        copies.mkdir()
        files = [blas["path"], *[path for path in blas["also"] if "libcublasLt" in path]]
        for file in files:
            soname = re.sub(r"(\.so\.\d+).*", r"\1", Path(file).name)
            shutil.copy(file, copies / soname)
        seen, status, _ = run.cudacheck(LD_LIBRARY_PATH=f"{copies}:{os.environ.get('LD_LIBRARY_PATH', '')}")
        path = next((entry["path"] for entry in seen["loaded"] if entry["library"] == "libcublas"), "none") if seen else "none"
        known = [copy["path"] for lib in seen["libraries"] if lib["name"] == "libcublas" for copy in lib["copies"]] if seen else []
        run.claim("two cuBLAS copies: the report lists both", True, len(known) >= 2)
        run.claim("two cuBLAS copies: the report names the loaded one", True, path in known)
        run.claim("two cuBLAS copies: the product is exact", 0, status)
    else:
        run.skip("two cuBLAS copies", "no cuBLAS was loaded")


def busy(run):
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode != 0:
        return run.skip("memory filled by another process", "no torch")
    filler = subprocess.Popen([sys.executable, "-c", FILL, "200"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        full = filler.stdout.readline().strip() == "full"
        report, status, _ = run.cudacheck()
        seen = (full, status, report and report["verdict"], "device.busy" in ids(report))
        run.claim("memory filled by another process", (True, 0, "verified", True), seen)
    finally:
        filler.stdin.close()
        filler.wait(60)


def leaves_nothing(run):
    if not shutil.which("nvidia-smi"):
        return run.skip("memory used before and after ten runs", "no nvidia-smi")
    used = lambda: [row["memory.used"] for row in smi("memory.used")]
    before = used()
    for _ in range(10):
        run.cudacheck("--level", "gemm")
    run.claim("memory used before and after ten runs, in MiB", before, used())


def timed(command, runs, environment=None):
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, env=environment)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def speed(run, runs):
    """Median seconds of each level and of its peers."""
    rows = [(f"cudacheck --level {level}", timed([run.binary, "--level", level], runs)) for level in LEVELS]
    rows += [(f"cudacheck health --level {level}", timed([run.binary, "health", "--level", level], runs)) for level in LEVELS[:2]]
    if shutil.which("nvidia-smi"):
        rows += [("nvidia-smi", timed(["nvidia-smi"], runs)), ("nvidia-smi -L", timed(["nvidia-smi", "-L"], runs))]
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode == 0:
        one_liner = [sys.executable, "-c", "import torch; torch.cuda.is_available()"]
        rows.append(("torch one-liner", timed(one_liner, max(3, runs // 3))))
    return rows


def number(gpu):
    """The CUDA ordinal or NVML index of a GPU in the report, which may be null."""
    if gpu is None:
        return ""
    return gpu["index"] if gpu["ordinal"] is None else gpu["ordinal"]


def write(directory, run, report, peer, rows):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    gpu, driver = report["gpus"][0], report["driver"]
    head = [f"- device: {gpu['name']} ({len(report['gpus'])} in the report)", f"- driver: {driver['version']}, CUDA {driver['cuda']}",
            f"- cudacheck: {report['version']}", f"- torch: {peer['version'] if peer else 'none'}",
            f"- date: {datetime.date.today()}"]
    table = ["| claim | expected | seen | verdict |", "|---|---|---|---|"]
    table += ["| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in row) + " |" for row in run.rows]
    times = ["| command | median |", "|---|---|"] + [f"| {what} | {seconds * 1e3:.1f} ms |" for what, seconds in rows]
    stages = ["| stage | GPU | seconds |", "|---|---|---|"]
    stages += [f"| {stage['name']} | {number(stage['gpu'])} | {stage['seconds']:.4f} |" for stage in report["stages"]]
    text = ["# Acceptance run", "", *head, "", "## Claims", "", *table, "", "## Speed", "", *times, "", "## Stages", "", *stages, ""]
    (directory / "table.md").write_text("\n".join(text))
    print(f"written: {directory}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path, help="a release build of cudacheck")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/evidence")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--rehearse", action="store_true", help="use the fake libraries and write no evidence")
    options = parser.parse_args()
    run = Run(options.binary.resolve())
    report, _, _ = run.cudacheck("--level", "driver")
    if not report or not report["gpus"]:
        print(f"no GPU: {report['summary'] if report else 'no report'}")
        return 3
    report = levels(run)
    if not report or not report["gpus"]:
        return 1
    facts(run, report)
    libraries(run, report)
    _, peer = against_torch(run, report)
    with tempfile.TemporaryDirectory() as scratch:
        faults(run, Path(scratch), report)
    busy(run)
    leaves_nothing(run)
    rows = speed(run, options.runs)
    for what, seconds in rows:
        print(f"{seconds * 1e3:9.1f} ms  {what}")
    if not options.rehearse:
        slug = re.sub(r"[^A-Za-z0-9]+", "-", report["gpus"][0]["name"]).strip("-").lower()
        write(options.out / f"{datetime.date.today()}-{slug}", run, report, peer, rows)
    differing = sum(row[3] == "DIFFERS" for row in run.rows)
    skipped = sum(row[3] == "skipped" for row in run.rows)
    print(f"{len(run.rows) - differing - skipped} hold, {differing} differ, {skipped} skipped")
    return 1 if run.differs() else 0


if __name__ == "__main__":
    sys.exit(main())
