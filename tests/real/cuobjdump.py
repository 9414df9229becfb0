#!/usr/bin/env python3
"""Compares the device code that cudacheck counts from headers with what NVIDIA's cuobjdump lists.

    cuobjdump.py BINARY [--tool CUOBJDUMP]... TREE...

TREE is a part of tests/real/parts.sh ($CUDACHECK_PARTS, default ~/.cache/cudacheck) or a root directory. Every ELF file
of the tree is read by a cuobjdump from one of the parts (Triton's wheel contains one), newest first: new releases
refuse the oldest cubins and old releases the newest, so that a refused file is passed to the next one. The numbers of
images by kind and architecture are compared

- for each copy of a listed library: with `libraries[].copies[].device_code`,
- for every other ELF file: with `image.device_code` of a root that only has this file,
- for all files together: with `image.device_code`,

each with two outputs of cuobjdump: the *listing* (`cuobjdump --all-fatbin FILE`: `arch = sm_100f`), and the *names*
(`--list-elf --list-ptx`: `x.1.sm_100.cubin`), which come from the decompressed cubins and do not show which of them are
family-specific and have no LTO-IR. cuobjdump reads `.nv_fatbin` and `__nv_relfatbin` only, so that the regions of other
sections (`.cask_resource`, `.rodata`, `.data`, `.ldata`) are extracted and passed to it as a fatbin file. Neither program sees code outside of fatbins, such as the compressed cubins in `.ldata` of cuBLASLt,
and cuobjdump does not print sizes. A difference that is not in cuobjdump-differences.txt is a failure, and so is an
unused entry of that list.
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS = Path(os.environ.get("CUDACHECK_PARTS", Path.home() / ".cache/cudacheck"))
EXPLAINED = Path(__file__).with_name("cuobjdump-differences.txt")
TOOLS = ["*/usr/local/lib/python3*/dist-packages/triton/backends/nvidia/bin/cuobjdump", "*/usr/bin/cuobjdump"]
REGION = b"\x50\xed\x55\xba\x01\x00\x10\x00"
NAME = re.compile(r"^(?:ELF|PTX) file +\d+: .*\.(sm_\w+\.(?:cubin|ptx))$", re.MULTILINE)
LISTED = re.compile(r"^Fatbin (elf|ptx|nvvm) code:\n=+\narch = (\w+)$", re.MULTILINE)
NO_CODE = "does not contain device code"
ANSWERS = ["listing", "names"]
# By cuobjdump itself.
READ = [b".nv_fatbin", b"__nv_relfatbin"]


# --- files of a tree --------------------------------------------------------------------------------

def elf_files(root):
    """Paths inside the root."""
    for directory, _, files in os.walk(root):
        for file in files:
            full = os.path.join(directory, file)
            if stat.S_ISREG(os.lstat(full).st_mode):
                with open(full, "rb") as opened:
                    if opened.read(4) == b"\x7fELF":
                        yield full[len(root):]


def data_sections(file):
    """The loaded data that cuobjdump does not read."""
    with open(file, "rb") as elf:
        header = elf.read(64)
        if header[:6] != b"\x7fELF\x02\x01" or len(header) < 64:
            return
        table, = struct.unpack_from("<Q", header, 40)
        size, count, names = struct.unpack_from("<HHH", header, 58)
        if size != 64 or names >= count:
            return
        elf.seek(table)
        headers = [struct.unpack("<IIQQQQIIQQ", elf.read(size)) for _ in range(count)]
        elf.seek(headers[names][4])
        texts = elf.read(headers[names][5])
        for name, kind, flags, _, offset, length, *_ in headers:
            progbits, alloc, exec = 1, 2, 4
            if kind == progbits and flags & alloc and not flags & exec and texts[name:texts.index(b"\0", name)] not in READ:
                elf.seek(offset)
                yield elf.read(length)


def regions(data):
    """The fatbin regions between other data."""
    at = data.find(REGION)
    while at >= 0:
        end = at + 16 + struct.unpack_from("<Q", data, at + 8)[0]
        if end > len(data):
            # The same bytes by chance.
            end = at + 4
        else:
            yield data[at:end]
        at = data.find(REGION, end)


# --- cuobjdump --------------------------------------------------------------------------------------

class Tools:
    """The cuobjdump programs of the parts, newest first."""

    def __init__(self, given):
        found = given or sorted({path.resolve() for pattern in TOOLS for path in PARTS.glob(pattern)})
        releases = {path: self.release(path) for path in found}
        # Several trees have the same release.
        self.list = list({releases[path]: path for path in sorted(found, key=releases.get, reverse=True)}.items())
        if not self.list:
            sys.exit(f"no cuobjdump in {PARTS}: run tests/real/parts.sh torch12 torch13")
        self.refused = collections.Counter()

    @staticmethod
    def release(path):
        text = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
        return tuple(map(int, re.search(r"V(\d+)\.(\d+)\.(\d+)", text).groups()))

    def ask(self, file):
        """Counters by output, from the first program that accepts the file."""
        for release, tool in self.list:
            names = self.run(tool, "--list-elf", "--list-ptx", file)
            if names is None:
                self.refused[release] += 1
                continue
            if not names:
                return {answer: collections.Counter() for answer in ANSWERS}
            listing = LISTED.findall(self.run(tool, file) or "")
            kinds = {"elf": "cubin", "ptx": "ptx", "nvvm": "lto"}
            return {"names": collections.Counter(NAME.findall(names)),
                    "listing": collections.Counter(f"{arch}.{kinds[kind]}" for kind, arch in listing)}
        sys.exit(f"{file}: no cuobjdump accepts it")

    @staticmethod
    def run(tool, *arguments):
        """Standard output; empty if there is no code, None if the file is refused."""
        done = subprocess.run([tool, "--all-fatbin", *arguments], capture_output=True, text=True, errors="replace")
        if done.returncode == 0:
            return done.stdout
        return "" if NO_CODE in done.stdout + done.stderr else None


def truth(tools, root, path, home):
    """Images of a file by cuobjdump, and how many of them are in sections that it does not read."""
    said = tools.ask(root + path)
    data = b"".join(region for section in data_sections(root + path) for region in regions(section))
    if not data:
        return said, 0
    with tempfile.NamedTemporaryFile(dir=home, suffix=".fatbin") as file:
        file.write(data)
        file.flush()
        more = tools.ask(Path(file.name))
    return {answer: said[answer] + more[answer] for answer in ANSWERS}, sum(more["listing"].values())


# --- cudacheck --------------------------------------------------------------------------------------

def report(binary, root):
    command = [binary, "image", root, "--format", "json"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}: {done.stderr.decode(errors='replace')}")
    return json.loads(done.stdout)


def counted(device_code):
    """Counts with cuobjdump's names: `sm_90.ptx` for `compute_90`."""
    return collections.Counter({
        f"sm_{code['arch'].partition('_')[2]}.{code['kind']}": code["images"] for code in device_code
    })


def as_names(counter):
    """cuobjdump's names of cubins keep the `a` of a target but not its `f`; those of PTX keep both. LTO-IR has none."""
    result = collections.Counter()
    for name, number in counter.items():
        if not name.endswith(".lto"):
            result[name.replace("f.cubin", ".cubin")] += number
    return result


def alone(binary, root, path, home):
    """The device code of one file, counted in a root that only has this file."""
    with tempfile.TemporaryDirectory(dir=home) as directory:
        place = Path(directory + path)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(root + path, place)
        except OSError:
            shutil.copy2(root + path, place)
        return counted(report(binary, directory)["image"]["device_code"])


# --- the comparison ---------------------------------------------------------------------------------

class Explained:
    """The committed list: tree, pattern of files, output, architecture and kind, difference, reason."""

    def __init__(self, file=EXPLAINED):
        lines = file.read_text().splitlines() if file.exists() else []
        entries = [line.split("\t") for line in lines if line and not line.startswith("#")]
        wrong = [entry for entry in entries if len(entry) != 6]
        if wrong:
            sys.exit(f"{file}: not six fields: {wrong[0]}")
        self.used = {tuple(entry): 0 for entry in entries}

    def explains(self, tree, path, answer, name, difference):
        for entry in self.used:
            if entry[0] == tree and fnmatch.fnmatchcase(path, entry[1]) and entry[2:5] == (answer, name, f"{difference:+}"):
                self.used[entry] += 1
                return True
        return False

    def idle(self, trees):
        return [entry for entry, times in self.used.items() if entry[0] in trees and times == 0]


def differences(ours, theirs):
    """Output, name, cudacheck's number, cuobjdump's number."""
    for answer in ANSWERS:
        seen = ours if answer == "listing" else as_names(ours)
        for name in sorted(seen.keys() | theirs[answer].keys()):
            if seen[name] != theirs[answer][name]:
                yield answer, name, seen[name], theirs[answer][name]


def compare(binary, tools, tree, explained, home):
    """Prints the unexplained differences of a tree; true if there are none."""
    start = time.monotonic()
    root = str((Path(tree) if "/" in tree else PARTS / tree).resolve())
    if not os.path.isdir(root):
        sys.exit(f"{root} is missing: tests/real/parts.sh {tree}")
    whole, files = report(binary, root), sorted(elf_files(root))
    ours = {copy["path"]: counted(copy["device_code"]) for library in whole["libraries"] for copy in library["copies"]}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        theirs = dict(zip(files, pool.map(lambda path: truth(tools, root, path, home), files)))
        others = [path for path in files if path not in ours]
        listed = len(ours)
        ours.update(zip(others, pool.map(lambda path: alone(binary, root, path, home), others)))
    bad = differing = 0

    def show(path, answer, name, our, their, is_explained):
        nonlocal bad, differing
        differing += 1
        bad += not is_explained
        if not is_explained:
            print(f"  {path}: {name} of the {answer}: cudacheck {our}, cuobjdump {their}")

    nothing, allowed = {answer: collections.Counter() for answer in ANSWERS}, collections.Counter()
    for path in sorted(ours):
        for answer, name, our, their in differences(ours[path], theirs.get(path, (nothing, 0))[0]):
            is_explained = explained.explains(tree, path, answer, name, our - their)
            allowed[answer, name] += (our - their) * is_explained
            show(path, answer, name, our, their, is_explained)
    total = {answer: sum((said[answer] for said, _ in theirs.values()), collections.Counter()) for answer in ANSWERS}
    for answer, name, our, their in differences(counted(whole["image"]["device_code"]), total):
        show("the sum of the image", answer, name, our, their, our - their == allowed[answer, name])
    with_code = sum(bool(said["listing"]) for said, _ in theirs.values())
    print(f"{'FAIL' if bad else 'ok'} {tree}: {len(files)} ELF files, {listed} copies of listed libraries, "
          f"{with_code} files with code, {sum(total['listing'].values())} images, "
          f"{sum(other for _, other in theirs.values())} of them in sections that cuobjdump does not read, "
          f"{bad} differences, {differing - bad} explained, {time.monotonic() - start:.0f} s")
    return not bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("trees", nargs="+", metavar="TREE")
    parser.add_argument("--tool", action="append", type=Path, default=[], metavar="CUOBJDUMP")
    options = parser.parse_args()
    tools, explained = Tools(options.tool), Explained()
    # On the file system of the trees, so that hard links work.
    with tempfile.TemporaryDirectory(dir=PARTS if PARTS.is_dir() else None) as home:
        results = [compare(options.binary, tools, tree, explained, home) for tree in options.trees]
    for entry in explained.idle(options.trees):
        print(f"FAIL unused entry in {EXPLAINED.name}: {' | '.join(entry)}")
        results.append(False)
    for release, _ in tools.list:
        refused = tools.refused[release]
        print(f"cuobjdump {'.'.join(map(str, release))}: {f'{refused} files refused' if refused else 'no file refused'}")
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
