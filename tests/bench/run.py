#!/usr/bin/env python3
"""Compares cudacheck's speed with its peers' in one run. A benchmark, not a test.

    tests/bench/run.py [BINARY] [--runs N]     parts: $CUDACHECK_PARTS, default ~/.cache/cudacheck

EXPECTED was written before the first measurement. Missing parts are reported. Needs root, to chroot into the torch
tree. Prints a table; the exit status is 0 whatever the results.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = Path(os.environ.get("CUDACHECK_PARTS", Path.home() / ".cache/cudacheck"))
BINARY = ROOT / "target/release/cudacheck"

EXPECTED = {
    "verdict": "at least 20 times as fast as the torch one-liner",
    "overhead": "under 5 ms over the bare probe",
    "audit": "at most 3 times as long as find",
}


def seconds(command, runs, **options):
    """Median wall-clock seconds of a command, after a warm-up run."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


class Torch:
    """A chroot of the torch tree with the binary and without a GPU."""

    def __init__(self, binary):
        self.root = PARTS / "torch12"
        self.binary = binary

    def command(self, *command):
        # The binary is in a tmpfs over /tmp, so that the tree is not modified.
        script = ('mount -t proc proc "$R/proc"; mount -t tmpfs tmpfs "$R/tmp"; cp "$B" "$R/tmp/cudacheck"; '
                  'exec chroot "$R" "$@"')
        return ["unshare", "--mount", "--pid", "--fork", "sh", "-ec", script, "sh", *command]

    def seconds(self, runs, *command):
        environment = {"R": str(self.root), "B": str(self.binary), "PATH": os.environ["PATH"]}
        entering = seconds(self.command("/bin/true"), runs, env=environment)
        return seconds(self.command(*command), runs, env=environment) - entering


def driver_library(name):
    found = sorted((PARTS / "driver/535").rglob(name))
    return found[0] if found else None


def bare_probe(binary, runs):
    """Seconds of the probe with the job of `health --level driver`, and of that command."""
    probes = sorted((ROOT / "target").rglob("build/cudacheck-*/out/probe"), key=lambda path: path.stat().st_mtime)
    if not probes:
        return None
    survey = {"nodes": [], "nvml": True, "driver": True, "nvml_timeout_ms": 1000}
    # The probe requires that its parent is the process that the job names.
    job = {"protocol": 2, "parent": os.getpid(), "task": {"survey": survey}, "lock": "cudacheck.bench", "timeout_ms": 9000}
    environment = dict(os.environ, CUDA_CACHE_DISABLE="1")
    read, write = os.pipe()
    os.set_blocking(read, False)

    def run():
        start = time.perf_counter()
        subprocess.run([probes[-1], json.dumps(job)], stdin=write, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        spent = time.perf_counter() - start
        os.read(read, 1 << 20)
        return spent

    run()
    probe = statistics.median(run() for _ in range(runs))
    return probe, seconds([binary, "health", "--level", "driver"], runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", nargs="?", type=Path, default=BINARY)
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    binary, runs = options.binary.resolve(), options.runs
    if not binary.exists():
        sys.exit(f"{binary} does not exist: run cargo build --release")
    rows = []

    def row(what, value, peer, peer_value, expected=""):
        rows.append((what, f"{value * 1e3:.1f} ms", peer, f"{peer_value * 1e3:.1f} ms", f"{peer_value / value:.2f}", expected))

    if (PARTS / "torch12").exists() and os.geteuid() == 0:
        torch = Torch(binary)
        verdict = torch.seconds(runs, "/tmp/cudacheck", "health", "--level", "gemm")
        whole = torch.seconds(runs, "/tmp/cudacheck")
        one_liner = torch.seconds(max(3, runs // 5), "python3", "-c", "import torch; torch.cuda.is_available()")
        row("verdict without a GPU, torch image", verdict, "torch one-liner", one_liner, EXPECTED["verdict"])
        row("verdict and audit, torch image", whole, "torch one-liner", one_liner)
        smi, nvml = driver_library("nvidia-smi"), driver_library("libnvidia-ml.so.535*")
        if smi and nvml:
            # NVML under its soname, as the container runtime would mount it.
            with tempfile.TemporaryDirectory() as directory:
                (Path(directory) / "libnvidia-ml.so.1").symlink_to(nvml)
                environment = {"LD_LIBRARY_PATH": directory, "PATH": os.environ["PATH"]}
                peer = seconds([smi], runs, env=environment)
            row("verdict without a GPU, torch image", verdict, "nvidia-smi (driver 535)", peer)
        else:
            print("not measured: nvidia-smi (tests/real/parts.sh driver535)", file=sys.stderr)
        tree = str(PARTS / "torch12")
        audit = seconds([binary, "image", tree], runs)
        walk = seconds(["find", tree], runs)
        stat = seconds(["find", tree, "-printf", "%s\\n"], runs)
        row("audit of the torch tree", audit, "find", walk, EXPECTED["audit"])
        row("audit of the torch tree", audit, "find -printf %s", stat)
    else:
        print("not measured: the torch tree (needs tests/real/parts.sh torch12 and root)", file=sys.stderr)
    both = bare_probe(binary, runs)
    if both:
        probe, health = both
        rows.append(("health --level driver", f"{health * 1e3:.1f} ms", "the bare probe", f"{probe * 1e3:.1f} ms",
                     f"+{(health - probe) * 1e3:.1f} ms", EXPECTED["overhead"]))
    else:
        print("not measured: the bare probe (no build directory)", file=sys.stderr)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, median of {runs} warm runs\n")
    print("| what | cudacheck | peer | time of the peer | peer / cudacheck | expected |\n|---|---|---|---|---|---|")
    for line in rows:
        print("| " + " | ".join(line) + " |")


if __name__ == "__main__":
    main()
