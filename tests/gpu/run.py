#!/usr/bin/env python3
"""The acceptance run on a machine with an NVIDIA GPU: verifies, injures, measures, writes evidence.

    tests/gpu/run.py BINARY [--out docs/evidence] [--runs 10]

Every claim of cudacheck's report is compared with nvidia-smi and torch in the same run, the faults that
need hardware are provoked, and each level is timed against its peers. What was expected stands in the
code, written before anything was measured. The card's settings are left alone: no clock, power, MIG,
persistence or compute mode is changed, and memory is taken by plain allocations only.

Exit status: 0 every claim held, 1 something differs, 3 there is no GPU. `--rehearse` runs the script on
fake libraries (LD_LIBRARY_PATH, FAKE_GPU) to test the script itself; it writes no evidence.
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
# cudacheck's TFLOP/s over torch's, of the same shape, type and data.
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

# Takes all free memory but so much by plain allocations, says so, and waits for the end of its input.
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
    """What was claimed, expected and seen, line by line."""

    def __init__(self, binary):
        self.binary = str(binary)
        self.rows = []

    def cudacheck(self, *arguments, **environment):
        """Report, exit status and seconds. The report is none where none was printed."""
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
    """None where torch is not there; its own words where it fails."""
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode != 0:
        return None
    done = subprocess.run([sys.executable, "-c", TORCH.replace("SIZE", str(size))], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr[-500:]}


def levels(run):
    """The main job at each level; the last report is the evidence."""
    report = None
    for level in LEVELS:
        report, status, _ = run.cudacheck("--level", level)
        seen = (status, report and report["verdict"], report and report["level"])
        run.claim(f"level {level}", (0, "verified", level), seen)
    return report


def facts(run, report):
    """The report's device facts against nvidia-smi's."""
    fields = ["index", "name", "uuid", "pci.bus_id", "memory.total", "driver_version", "compute_mode",
              "persistence_mode", "ecc.mode.current", "pcie.link.gen.max", "pcie.link.width.max", "clocks.max.sm",
              "compute_cap"]
    if not shutil.which("nvidia-smi"):
        return run.skip("facts against nvidia-smi", "nvidia-smi is not here")
    for row in smi(*fields):
        gpu = next((gpu for gpu in report["gpus"] if gpu["uuid"] == row["uuid"]), None)
        label = f"GPU {row['index']}"
        run.claim(f"{label} is in the report", True, gpu is not None)
        if not gpu:
            continue
        health = gpu["health"]
        run.claim(f"{label} name", row["name"], gpu["name"])
        run.claim(f"{label} compute capability", row["compute_cap"], gpu["capability"])
        # nvidia-smi writes eight digits of domain, the driver four.
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
        run.claim(f"{label} every multiprocessor seen", gpu["smoke"]["sms_present"], gpu["smoke"]["sms_covered"])
        run.claim(f"{label} cooperative launch", True, gpu["smoke"]["cooperative"])


def libraries(run, report):
    loaded = {entry["library"]: entry for entry in report["loaded"]}
    for name in ["libcuda", "libnvidia-ml", "libcudart", "libcublas", "libcupti"]:
        run.claim(f"{name} was loaded", True, name in loaded)
    gpu = report["gpus"][0]
    if gpu["cupti"]:
        run.claim("CUPTI's record names the kernel", ["cudacheck_smoke"], gpu["cupti"]["kernels"])
    wheel = next((c["path"] for lib in report["libraries"] if lib["name"] == "cublas" for c in lib["copies"]
                  if c["origin"] == "wheel" and c["verdict"] == "used"), None)
    if wheel and "libcublas" in loaded:
        run.claim("torch's cuBLAS is the one that was loaded", wheel, loaded["libcublas"]["path"])
        run.claim("with one cuBLASLt", 1, sum("libcublasLt" in path for path in loaded["libcublas"]["also"]))
        run.claim("CUPTI from torch's wheels", True, "/nvidia/" in loaded.get("libcupti", {}).get("path", ""))
    else:
        run.skip("torch's cuBLAS is the one that was loaded", "no wheel of cuBLAS is used in this file system")


def against_torch(run, report):
    gpu = report["gpus"][0]
    if not gpu["speed"]:
        return run.skip("GEMM against torch", "nothing was timed"), None
    peer = torch(gpu["speed"][0]["size"][0])
    if peer is None:
        return run.skip("GEMM against torch", "torch is not here"), None
    if "error" in peer:
        return run.claim("torch runs", "a result", peer["error"]), None
    run.claim("multiprocessors, by torch", peer["sms"], gpu["multiprocessors"])
    run.claim("compute capability, by torch", peer["capability"], gpu["capability"])
    for speed in gpu["speed"]:
        theirs = peer["speed"].get(speed["format"])
        ratio = speed["tflops"] / theirs
        low, high = SPEED_AGREES
        run.claim(f"TFLOP/s {speed['format']} over torch's", f"{low} to {high}",
                  f"{ratio:.3f} ({speed['tflops']:.1f} / {theirs:.1f})", low <= ratio <= high)
        run.claim(f"torch's {speed['format']} product is exact as well", True, peer["exact"][speed["format"]])
        if speed["peak_share"] is not None:
            run.claim(f"share of peak {speed['format']}", "at most 1.02", f"{speed['peak_share']:.3f}", speed["peak_share"] <= 1.02)
    return None, peer


def faults(run, scratch, report):
    """Faults that can be provoked without harm, each with the finding that must lead."""
    seen, status, _ = run.cudacheck("--level", "driver", CUDA_VISIBLE_DEVICES="99")
    run.claim("hidden devices", (1, True), (status, leading(seen) in ("launch.visible-devices",)))
    _, status, _ = run.cudacheck("--gpus", "99", "--level", "driver")
    run.claim("a GPU that does not exist", 2, status)
    seen, status, seconds = run.cudacheck("--level", "gemm", "--timeout", "200ms")
    run.claim("back at a deadline of 200 ms", "under 0.4 s", f"{seconds:.3f} s", seconds < 0.4)

    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler:
        stubs = scratch / "stubs"
        stubs.mkdir()
        (stubs / "stub.c").write_text(STUB)
        subprocess.run([compiler, "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", stubs / "libcuda.so.1", stubs / "stub.c"], check=True)
        # A stub has few functions: that its table is short is as telling as what it answers.
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
        known = [copy["path"] for lib in seen["libraries"] if lib["name"] == "cublas" for copy in lib["copies"]] if seen else []
        run.claim("two cuBLAS copies: the report knows both", True, len(known) >= 2)
        run.claim("two cuBLAS copies: the one that was loaded is named", True, path in known)
        run.claim("two cuBLAS copies: the product is exact all the same", 0, status)
    else:
        run.skip("two cuBLAS copies", "no cuBLAS was loaded")


def busy(run):
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode != 0:
        return run.skip("memory filled by another process", "torch is not here")
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
        return run.skip("memory used before and after ten runs", "nvidia-smi is not here")
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
    """Seconds of each level and of its peers, in one run."""
    rows = [(f"cudacheck --level {level}", timed([run.binary, "--level", level], runs)) for level in LEVELS]
    rows += [(f"cudacheck health --level {level}", timed([run.binary, "health", "--level", level], runs)) for level in LEVELS[:2]]
    if shutil.which("nvidia-smi"):
        rows += [("nvidia-smi", timed(["nvidia-smi"], runs)), ("nvidia-smi -L", timed(["nvidia-smi", "-L"], runs))]
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode == 0:
        one_liner = [sys.executable, "-c", "import torch; torch.cuda.is_available()"]
        rows.append(("torch one-liner", timed(one_liner, max(3, runs // 3))))
    return rows


def write(directory, run, report, peer, rows):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    gpu, driver = report["gpus"][0], report["driver"]
    head = [f"- device: {gpu['name']} ({len(report['gpus'])} in the report)", f"- driver: {driver['version']}, CUDA {driver['cuda']}",
            f"- cudacheck: {report['version']}", f"- torch: {peer['version'] if peer else 'not there'}",
            f"- date: {datetime.date.today()}"]
    table = ["| claim | expected | seen | verdict |", "|---|---|---|---|"]
    table += ["| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in row) + " |" for row in run.rows]
    times = ["| command | median |", "|---|---|"] + [f"| {what} | {seconds * 1e3:.1f} ms |" for what, seconds in rows]
    stages = ["| stage | GPU | seconds |", "|---|---|---|"]
    stages += [f"| {stage['name']} | {stage['gpu']} | {stage['seconds']:.4f} |" for stage in report["stages"]]
    text = ["# Acceptance run", "", *head, "", "## Claims", "", *table, "", "## Speed", "", *times, "", "## Stages", "", *stages, ""]
    (directory / "table.md").write_text("\n".join(text))
    print(f"written: {directory}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path, help="cudacheck, built for release")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/evidence")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--rehearse", action="store_true", help="on fake libraries; no evidence is written")
    options = parser.parse_args()
    run = Run(options.binary.resolve())
    report, _, _ = run.cudacheck("--level", "driver")
    if not report or not report["gpus"]:
        print(f"there is no GPU here: {report['summary'] if report else 'no report'}")
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
    print(f"{len(run.rows) - differing - skipped} held, {differing} differ, {skipped} skipped")
    return 1 if run.differs() else 0


if __name__ == "__main__":
    sys.exit(main())
