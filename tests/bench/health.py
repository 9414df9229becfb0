#!/usr/bin/env python3
"""Compares the speed of `cudacheck health` with its peers'. A benchmark, not a test.

    tests/bench/health.py [BINARY] [--runs N]     parts: $CUDACHECK_PARTS, default ~/.cache/cudacheck

The peers are bare.c, which makes the same driver calls without output, and nvidia-smi -L; on a machine with a GPU also
nvidia-smi and the torch one-liner. Without a GPU, the libraries of driver 535 are used, which find no kernel module.
The commands run in turn, so that other load on the machine affects all of them. EXPECTED was written before the first
measurement. Prints a table; the exit status is 0 whatever the results.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = Path(os.environ.get("CUDACHECK_PARTS", Path.home() / ".cache/cudacheck"))
BINARY = ROOT / "target/release/cudacheck"

EXPECTED = "at most 5 ms more than bare.c in wall-clock and CPU time, and not slower than nvidia-smi -L"


def once(command, environment):
    """Milliseconds of wall-clock and of CPU time of a command and its children."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return (time.perf_counter() - start) * 1e3, (used.ru_utime + used.ru_stime) * 1e3


def real_driver(directory):
    """Links the driver's libraries under their sonames, and returns nvidia-smi."""
    found = {}
    for name, pattern in (("libnvidia-ml.so.1", "libnvidia-ml.so.535*"), ("libcuda.so.1", "libcuda.so.535*")):
        files = sorted((PARTS / "driver/535").rglob(pattern))
        if not files:
            return None
        found[name] = files[0]
    for name, file in found.items():
        (directory / name).symlink_to(file)
    return next(iter(sorted((PARTS / "driver/535").rglob("nvidia-smi"))), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", nargs="?", type=Path, default=BINARY)
    parser.add_argument("--runs", type=int, default=40)
    options = parser.parse_args()
    binary = options.binary.resolve()
    if not binary.exists():
        sys.exit(f"{binary} does not exist: run cargo build --release")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        bare = directory / "bare"
        subprocess.run(["cc", "-O2", "-o", bare, ROOT / "tests/bench/bare.c", "-ldl"], check=True)
        environment = dict(os.environ)
        has_gpu = Path("/dev/nvidiactl").exists() and shutil.which("nvidia-smi")
        if has_gpu:
            smi = shutil.which("nvidia-smi")
        else:
            libraries = directory / "lib"
            libraries.mkdir()
            smi = real_driver(libraries)
            if smi is None:
                sys.exit("no GPU and no driver libraries: run tests/real/parts.sh driver535")
            environment["LD_LIBRARY_PATH"] = str(libraries)
        commands = {
            "bare nvml": [bare, "nvml"],
            "bare driver": [bare, "driver"],
            "health nvml": [binary, "health"],
            "health driver": [binary, "health", "--level", "driver"],
            "nvidia-smi -L": [smi, "-L"],
            # Facts and checks without a probe: the cost of the diagnosis, program start included.
            "diagnosis alone": [binary, "health", "--level", "image"],
            "cudacheck --version": [binary, "--version"],
        }
        if has_gpu:
            commands["nvidia-smi"] = [smi]
            if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode == 0:
                commands["torch one-liner"] = [sys.executable, "-c", "import torch; torch.cuda.is_available()"]
        seen = {name: [] for name in commands}
        for turn in range(options.runs + 1):
            for name, command in commands.items():
                figures = once(command, environment)
                if turn:
                    seen[name].append(figures)
    median = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in seen.items()}
    where = "a GPU" if has_gpu else "driver 535 without a GPU"
    print(f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, {where}, median of {options.runs} warm runs\n")
    print("| command | wall | CPU | more than bare.c | relative to nvidia-smi -L |\n|---|---|---|---|---|")
    for name, (wall, cpu) in median.items():
        floor = median.get(name.replace("health", "bare")) if name.startswith("health") else None
        over = f"{wall - floor[0]:+.1f} ms wall, {cpu - floor[1]:+.1f} ms CPU" if floor else ""
        print(f"| {name} | {wall:.1f} ms | {cpu:.1f} ms | {over} | {wall / median['nvidia-smi -L'][0]:.2f} times |")
    print(f"\nexpected: {EXPECTED}")


if __name__ == "__main__":
    main()
