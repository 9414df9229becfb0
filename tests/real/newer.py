#!/usr/bin/env python3
"""Fails if PyPI has newer releases of CUDA than the tables know. Outside CI: the answer depends on the day.

    newer.py

Asks `pip index versions`, with pip's own configuration, for the newest releases of NVIDIA's wheels and of PyTorch, and
compares them with `data/` and `crates/image-audit/data/wheels.toml`. Prints which row is missing and where it goes.
"""

import datetime
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLES = {name: ROOT / path for name, path in {
    "drivers": "data/drivers.toml",
    "ptx": "data/ptx.toml",
    "gpus": "data/gpus.toml",
    "wheels": "crates/image-audit/data/wheels.toml",
}.items()}

# Versioned like the CUDA release.
RELEASES = ["nvidia-cuda-runtime", "nvidia-cuda-nvcc", "nvidia-cuda-nvrtc", "nvidia-nvjitlink"]
# The last CUDA 12: another 12.x would be news.
OLD_RELEASES = ["nvidia-cuda-runtime-cu12", "nvidia-cuda-nvcc-cu12"]
# The major version is the number in the soname.
MAJORS = {"nvidia-cudnn-cu13": "libcudnn.so", "nvidia-nccl-cu13": "libnccl.so", "nvidia-cublas": "libcublas.so",
          "nvidia-cufft": "libcufft.so", "nvidia-curand": "libcurand.so", "nvidia-cusolver": "libcusolver.so",
          "nvidia-cusparse": "libcusparse.so"}
CUDA_DAYS = 90


def numbers(version):
    return tuple(int(part) for part in re.findall(r"\d+", version))


def newest(package):
    """The newest release, such as 13.5.37; None if there is no such package."""
    done = subprocess.run([sys.executable, "-m", "pip", "index", "versions", package], capture_output=True, text=True)
    found = re.match(r"\S+ \((\S+)\)", done.stdout)
    if found:
        return found[1]
    if "No matching distribution found" in done.stderr:
        return None
    sys.exit(f"pip index versions {package}: {done.stderr.strip()}")


def rows(table):
    return [row for group in table["group"] for row in group["rows"]]


def main():
    tables = {name: tomllib.loads(path.read_text()) for name, path in TABLES.items()}
    drivers, ptx = rows(tables["drivers"]), rows(tables["ptx"])
    cuda_of = lambda row: numbers(row["cuda"])
    known = {cuda_of(row) for row in ptx}
    sonames = {soname for row in rows(tables["wheels"]) for soname in row["sonames"]}
    failed = []

    def expect(condition, package, version, missing):
        print(f"{'ok  ' if condition else 'FAIL'} {package} {version}" + ("" if condition else f": {missing}"))
        failed.extend([] if condition else [package])

    for package in RELEASES + OLD_RELEASES:
        version = newest(package)
        release = numbers(version)[:2]
        cuda = ".".join(map(str, release))
        expect(release in known, package, version,
               f"no row with cuda = \"{cuda}\" in data/ptx.toml. Install nvidia-cuda-nvcc=={version}, find the newest "
               f"`.version` that its ptxas accepts, and add {{ ptx = \"...\", cuda = \"{cuda}\" }}")
        if package == "nvidia-cuda-runtime":
            newest_driver = max(drivers, key=cuda_of)
            expect(cuda_of(newest_driver) >= release, "driver for", f"CUDA {cuda}",
                   "no row in data/drivers.toml. Find the branch in "
                   "https://developer.download.nvidia.com/compute/nvidia-driver/redist/ (cuda_variant) and add "
                   f"{{ branch = ..., cuda = \"{cuda}\" }}")
            toolkits = {row["cuda"] for group in tables["gpus"]["toolkits"] for row in group["rows"]}
            expect(release[0] in toolkits, "toolkit", f"CUDA {release[0]}",
                   "no row in data/gpus.toml. Find the oldest -arch that its ptxas accepts and add it to [[toolkits]]")
    for package, stem in MAJORS.items():
        version = newest(package)
        # The number in the soname is the wheel's major version, but for cuBLAS of CUDA 11 and 12.
        soname = f"{stem}.{numbers(version)[0]}"
        expect(soname in sonames, package, version,
               f"{soname} is not in crates/image-audit/data/wheels.toml. Add it to a row with {package}")
    for package in ["nvidia-cuda-runtime-cu13", "nvidia-cuda-runtime-cu14"]:
        version = newest(package)
        trap = version is None or numbers(version)[:2] < (1, 0)
        expect(trap, package, version or "does not exist",
               "the CUDA release is back in the names of wheels: correct crates/image-audit/data/wheels.toml")
    print(f"note torch {newest('torch')}: the newest PyTorch")
    for name, table in tables.items():
        days = (datetime.date.today() - table["complete"]).days
        expect(days <= CUDA_DAYS, TABLES[name].name, f"complete {table['complete']}, {days} days ago",
               "compare the table with its sources and change `complete`")
    print(f"{len(failed)} missing" if failed else "nothing is missing")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
