#!/usr/bin/env python3
"""Measures cudacheck's speed against its peers in one run, as ratios. A benchmark, not a test.

    tests/bench/run.py [BINARY] [--runs N]     parts: $CUDACHECK_PARTS, default ~/.cache/cudacheck

What was expected before measuring stands in EXPECTED. Parts that are missing are named, not skipped
in silence. Needs root for the chroot of the torch one-liner. Prints a table; exit status 0 whatever
the figures say.
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
BINARY = ROOT / "target/x86_64-unknown-linux-gnu/release/cudacheck"

EXPECTED = {
    "verdict": "at least 20 times faster than the torch one-liner",
    "overhead": "under 5 ms over the bare probe",
    "census": "within 3 times the walk by find",
}


def seconds(command, runs, **options):
    """Median wall-clock seconds of a command, after one run that warms the caches."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


class Torch:
    """The torch tree with the binary and nothing of a GPU in it, entered by chroot."""

    def __init__(self, binary):
        self.root = PARTS / "torch12"
        self.binary = binary

    def command(self, *command):
        # A tmpfs over /tmp carries the binary in, so that the tree stays as it is.
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
    """The probe with the job that `health --level driver` gives it, and that command itself."""
    probes = sorted((ROOT / "target").rglob("build/cudacheck-*/out/probe"), key=lambda path: path.stat().st_mtime)
    if not probes:
        return None
    survey = {"nodes": [], "nvml": True, "driver": True, "nvml_timeout_ms": 1000}
    # The parent is whoever starts it: a shell that replaces nothing, so that its number is known.
    job = {"protocol": 1, "parent": os.getpid(), "task": {"survey": survey}, "lock": "cudacheck.bench", "timeout_ms": 9000}
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
        sys.exit(f"{binary} does not exist: cargo build --release makes it")
    rows = []

    def row(what, value, peer, peer_value, expected=""):
        rows.append((what, f"{value * 1e3:.1f} ms", peer, f"{peer_value * 1e3:.1f} ms", f"{peer_value / value:.2f}", expected))

    if (PARTS / "torch12").exists() and os.geteuid() == 0:
        torch = Torch(binary)
        verdict = torch.seconds(runs, "/tmp/cudacheck", "health", "--level", "gemm")
        whole = torch.seconds(runs, "/tmp/cudacheck")
        one_liner = torch.seconds(max(3, runs // 5), "python3", "-c", "import torch; torch.cuda.is_available()")
        row("verdict without a GPU, torch image", verdict, "torch one-liner", one_liner, EXPECTED["verdict"])
        row("verdict and census, torch image", whole, "torch one-liner", one_liner)
        smi, nvml = driver_library("nvidia-smi"), driver_library("libnvidia-ml.so.535*")
        if smi and nvml:
            # NVML under its soname, as a package manager would have linked it.
            with tempfile.TemporaryDirectory() as directory:
                (Path(directory) / "libnvidia-ml.so.1").symlink_to(nvml)
                environment = {"LD_LIBRARY_PATH": directory, "PATH": os.environ["PATH"]}
                peer = seconds([smi], runs, env=environment)
            row("verdict without a GPU, torch image", verdict, "nvidia-smi (driver 535)", peer)
        else:
            print("not measured: nvidia-smi (tests/real/parts.sh driver535)", file=sys.stderr)
        tree = str(PARTS / "torch12")
        census = seconds([binary, "image", tree], runs)
        walk = seconds(["find", tree], runs)
        stat = seconds(["find", tree, "-printf", "%s\\n"], runs)
        row("census of the torch tree", census, "find", walk, EXPECTED["census"])
        row("census of the torch tree", census, "find -printf %s", stat)
    else:
        print("not measured: the torch tree (tests/real/parts.sh torch12) and root are needed", file=sys.stderr)
    both = bare_probe(binary, runs)
    if both:
        probe, health = both
        rows.append(("health --level driver", f"{health * 1e3:.1f} ms", "the bare probe", f"{probe * 1e3:.1f} ms",
                     f"+{(health - probe) * 1e3:.1f} ms", EXPECTED["overhead"]))
    else:
        print("not measured: the bare probe (no build directory)", file=sys.stderr)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, median of {runs} warm runs\n")
    print("| what | cudacheck | peer | peer's | peer / cudacheck | expected |\n|---|---|---|---|---|---|")
    for line in rows:
        print("| " + " | ".join(line) + " |")


if __name__ == "__main__":
    main()
