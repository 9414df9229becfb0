#!/usr/bin/env python3
"""Compares the device code of single libraries with cubloaty and with NVIDIA's cuobjdump.

    cubloaty.py BINARY [--tool CUOBJDUMP]... [WHEEL...]

Installs cubloaty and a cuobjdump from PyPI in a temporary directory, downloads each wheel (default: WHEELS below, CUDA
11.8 to 13.5), and puts each of its libraries into a root of its own. Of that root, `image.device_code` is compared

- with cubloaty: images and bytes in the file, by kind and architecture;
- with cuobjdump, as in cuobjdump.py: images by its listing and by the names of its entries. Releases that the newest
  cuobjdump refuses are passed to those of tests/real/parts.sh, as there.

Both cudacheck and cubloaty look for the magic of fatbins in all loaded data; cubloaty also counts bare cubins.
A difference that is not in cubloaty-differences.txt is a failure, and so is an unused entry of that list. Prints a
table; docs/measurements.md has one row for each wheel. About 7 minutes; several GB of downloads, one wheel at a time.
"""

import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import cuobjdump

HERE = Path(__file__).parent
CUBLOATY, CUOBJDUMP = "cubloaty==0.2.0b1", "nvidia-cuda-cuobjdump==13.5.37"
WHEELS = {
    "11.8": ["nvidia-cufft-cu11==10.9.0.58", "nvidia-curand-cu11==10.3.0.86", "nvidia-cusparse-cu11==11.7.5.86",
             "nvidia-nvjpeg-cu11==11.9.0.86"],
    "12.1": ["nvidia-cufft-cu12==11.0.2.54", "nvidia-cusparse-cu12==12.1.0.106"],
    "12.4": ["nvidia-cublas-cu12==12.4.5.8", "nvidia-curand-cu12==10.3.5.147", "nvidia-cusolver-cu12==11.6.1.9"],
    "12.8": ["nvidia-nccl-cu12==2.27.5", "nvidia-cusparselt-cu12==0.7.1"],
    "12.9": ["nvidia-cufft-cu12==11.4.1.4", "nvidia-npp-cu12==12.4.1.87"],
    "13.0": ["nvidia-cufft==12.0.0.61", "nvidia-cusolver==12.0.4.66"],
    "13.2": ["nvidia-cufft==12.2.0.57"],
    "13.5": ["nvidia-cublas==13.10.0.20", "nvidia-cudnn-cu13==9.28.1.4", "nvidia-cufft==12.5.0.14",
             "nvidia-curand==10.4.5.25", "nvidia-cusolver==12.4.1.2", "nvidia-cusparse==12.9.4.2", "nvidia-nvjpeg==13.3.2.43", "nvidia-npp==13.2.0.93",
             "nvidia-nccl-cu13==2.32.3", "nvidia-libnvcomp-cu13==6.0.0.12", "custatevec-cu13==1.15.0"],
}
KINDS = {"sass": "cubin", "ptx": "ptx", "ltoir": "lto"}


def pip(*arguments):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def download(wheel, directory):
    """The libraries of a wheel, as files in the directory."""
    pip("download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", directory, wheel)
    archive, = directory.glob("*.whl")
    with zipfile.ZipFile(archive) as files:
        for name in files.namelist():
            if ".so" in name.rpartition("/")[2]:
                with files.open(name) as inside, open(directory / name.rpartition("/")[2], "wb") as out:
                    shutil.copyfileobj(inside, out)
    archive.unlink()
    return sorted(path for path in directory.iterdir() if path.read_bytes()[:4] == b"\x7fELF")


def by_cubloaty(tools, library):
    """Images and bytes by kind and architecture."""
    command = [sys.executable, "-m", "cubloaty", "--format", "json", "--top", "1", library]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(tools)})
    images, sizes = collections.Counter(), collections.Counter()
    if done.returncode != 0:
        # It refuses files without code.
        if "No CUDA" in done.stdout + done.stderr:
            return images, sizes
        sys.exit(f"cubloaty {library}: {done.stderr}")
    for part in json.loads(done.stdout)["components"]:
        name = f"{part['arch']}.{KINDS.get(part['kind'], part['kind'])}"
        images[name] += part["images"]
        sizes[name] += part["file_size"]
    return images, sizes


def by_cudacheck(binary, root):
    code = cuobjdump.report(binary, root)["image"]["device_code"]
    images, sizes = collections.Counter(), collections.Counter()
    for entry in code:
        name = f"{entry['arch']}.{entry['kind']}"
        images[name] += entry["images"]
        sizes[name] += entry["bytes"]
    return images, sizes, cuobjdump.counted(code)


def compare(binary, tools, programs, cuda, wheel, explained, home):
    """Prints a row of the table for each library with code; the number of unexplained differences."""
    bad = 0
    with tempfile.TemporaryDirectory(dir=home) as directory:
        for library in download(wheel, Path(directory)):
            root = Path(directory) / "root"
            (root / "lib").mkdir(parents=True)
            library.rename(root / "lib" / library.name)
            images, sizes, counted = by_cudacheck(binary, str(root))
            their_images, their_sizes = by_cubloaty(tools, root / "lib" / library.name)
            listed, _ = cuobjdump.truth(programs, str(root), f"/lib/{library.name}", home)
            seen = list(cuobjdump.differences(counted, listed))
            for what, ours, theirs in [("images", images, their_images), ("bytes", sizes, their_sizes)]:
                seen += [(what, name, ours[name], theirs[name])
                         for name in sorted(ours.keys() | theirs.keys()) if ours[name] != theirs[name]]
            differing = collections.Counter()
            for answer, name, our, their in seen:
                known = explained.explains(wheel, library.name, answer, name, our - their)
                tool = "cubloaty" if answer in ("images", "bytes") else "cuobjdump"
                differing[tool] += 1
                bad += not known
                if not known:
                    print(f"  {wheel} {library.name}: {name} by {answer}: cudacheck {our}, {tool} {their}")
            if images or their_images:
                print(f"| {cuda} | {wheel} | {library.name} | {sum(images.values())} | {len(images)} | "
                      f"{sum(sizes.values())} | {differing['cubloaty']} | {differing['cuobjdump']} |", flush=True)
            shutil.rmtree(root)
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("wheels", nargs="*", metavar="WHEEL", help="such as nvidia-cufft==12.5.0.14; default: all")
    parser.add_argument("--tool", action="append", type=Path, default=[], metavar="CUOBJDUMP")
    options = parser.parse_args()
    start, bad = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as home:
        tools = Path(home) / "tools"
        # zstandard is needed for zstd; without lz4 it takes an hour.
        pip("install", "--quiet", "--target", tools, CUBLOATY, "zstandard", "lz4")
        pip("install", "--quiet", "--no-deps", "--target", tools, CUOBJDUMP)
        found = [next(tools.rglob("bin/cuobjdump")), *sorted(cuobjdump.PARTS.glob("*/usr/bin/cuobjdump"))]
        found[0].chmod(0o755)
        programs = cuobjdump.Tools([*found, *options.tool])
        explained = cuobjdump.Explained(HERE / "cubloaty-differences.txt")
        print("| CUDA | wheel | library | images | architectures and kinds | bytes "
              "| differences to cubloaty | to cuobjdump |")
        print("|---|---|---|---|---|---|---|---|")
        for cuda, wheels in WHEELS.items():
            for wheel in wheels:
                if not options.wheels or wheel in options.wheels:
                    bad += compare(options.binary, tools, programs, cuda, wheel, explained, home)
        for entry in explained.idle(options.wheels or [wheel for wheels in WHEELS.values() for wheel in wheels]):
            print(f"FAIL unused entry in cubloaty-differences.txt: {' | '.join(entry)}")
            bad += 1
    names = [f"{'.'.join(map(str, release))} ({programs.refused[release]} files refused)" for release, _ in programs.list]
    print(f"cuobjdump {', '.join(names)}; {CUBLOATY}; {bad} failures; {time.monotonic() - start:.0f} s")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
