#!/usr/bin/env python3
"""Compares cudacheck's emulation of a tree's loader with that loader.

    loader.py BINARY [--env NAME=VALUE]... TREE...

TREE is a part of tests/real/parts.sh ($CUDACHECK_PARTS, default ~/.cache/cudacheck), such as stacks/faiss, or a root
directory. For
every ELF file with a dynamic segment, `BINARY image TREE --ldd all --format json` is compared with the trace of the
tree's own ld.so (or musl's), run in a chroot of an overlay, so that trees are never modified; by qemu if it is for arm64. Four rounds per tree: an
empty environment, LD_LIBRARY_PATH as toolkits set it, planted copies, and an unusual LD_LIBRARY_PATH; with --env one
round in that environment. A difference that is not in loader-differences.txt is a failure, and so is an unused entry
of that list. Needs root.
"""

import argparse
import contextlib
import ctypes
import fnmatch
import json
import multiprocessing
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
EXPLAINED = Path(__file__).with_name("loader-differences.txt")
GLIBC = "/lib64/ld-linux-x86-64.so.2"
GLIBC_ARM64 = "/lib/ld-linux-aarch64.so.1"
QEMU = "/.qemu-aarch64"
MUSL = "/lib/ld-musl-x86_64.so.1"
TOOLKIT_PATH = "/usr/local/cuda/lib64:/usr/lib/x86_64-linux-gnu"
PLANTED = "/planted"
ODD_PATH = ":$ORIGIN/../lib//:usr/${LIB};planted/::/nowhere:/usr/../lib/$PLATFORM-linux-gnu/."
# Larger files are planted as symbolic links.
LARGEST_COPY = 64 << 20
# The loader and the vDSO, which are in every trace and do not depend on the tree.
LEFT_OUT = re.compile(r"ld-(linux|musl)-.*|linux-vdso\.so\.1|linux-gate\.so\.1")


# --- a writable tree --------------------------------------------------------------------------------

def private_mounts():
    """Enters a new mount namespace, so that later mounts end with this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newns = 0x00020000
    if libc.unshare(clone_newns):
        sys.exit(f"a mount namespace: {os.strerror(ctypes.get_errno())} (needs root)")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


@contextlib.contextmanager
def overlay(*trees):
    """An overlay of trees, the first on top; changes are kept in memory."""
    home = tempfile.mkdtemp(prefix="cudacheck-")
    try:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", home], check=True)
        for name in ("upper", "work", "root"):
            os.mkdir(f"{home}/{name}")
        layers = f"lowerdir={':'.join(trees)},upperdir={home}/upper,workdir={home}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, f"{home}/root"], check=True)
        yield f"{home}/root"
    finally:
        subprocess.run(["umount", "--recursive", "--lazy", home], stderr=subprocess.DEVNULL)
        os.rmdir(home)


def part(name):
    """The directory of a part, or the directory itself."""
    path = Path(name) if "/" in name else PARTS / name
    if not path.is_dir():
        sys.exit(f"{path} is missing: run tests/real/parts.sh {path.name}")
    return str(path.resolve())


# Layers below a stack, the first on top.
BELOW = {"faiss-trixie": ["trixie"], "paddle": ["system11", "debian"]}


def layers(name):
    """Directories to mount over each other: a part, or a stack with what is below it."""
    kind, _, stack = name.partition("/")
    if kind != "stacks":
        return [part(name)]
    path = PARTS / name
    if not path.is_dir():
        sys.exit(f"{path} is missing: run tests/real/parts.sh {name}")
    return [str(path), *map(part, BELOW.get(stack, ["debian"]))]


def chrooted(root, function, items):
    """Calls a function in two processes that have `root` as their root; results in the order of the items."""
    with multiprocessing.Pool(2, enter, (root,)) as pool:
        return pool.map(function, items, chunksize=8)


def enter(root):
    os.chroot(root)
    os.chdir("/")


# --- files of a tree --------------------------------------------------------------------------------

def regular_files(root):
    """Paths inside the root."""
    for directory, folders, files in os.walk(root):
        folders[:] = [folder for folder in folders if not os.path.ismount(f"{directory}/{folder}")]
        for file in files:
            full = f"{directory}/{file}"
            if stat.S_ISREG(os.lstat(full).st_mode):
                yield full[len(root):]


def is_dynamic(file):
    """An ELF file of 64 bits with a dynamic segment."""
    with open(file, "rb") as elf:
        header = elf.read(64)
        if header[:6] != b"\x7fELF\x02\x01" or len(header) < 64:
            return False
        at, = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        elf.seek(at)
        table = elf.read(size * count)
    kinds = [struct.unpack_from("<I", table, place)[0] for place in range(0, len(table) - 3, size or 1)]
    return 2 in kinds


def dynamic_objects(root):
    files = (path for path in regular_files(root) if is_dynamic(root + path))
    return sorted(path for path in files if not LEFT_OUT.fullmatch(os.path.basename(path)))


# --- the tree's loader -----------------------------------------------------------------------------

class Tracer:
    """The trace of one object by the loader of the root that the process is in."""

    def __init__(self, root, environment):
        self.environment = environment
        self.musl = False
        if os.path.lexists(root + GLIBC):
            self.loader = [GLIBC]
        elif os.path.lexists(root + GLIBC_ARM64):
            shutil.copy(f"{part('qemu')}/usr/bin/qemu-aarch64-static", root + QEMU)
            self.loader = [QEMU, GLIBC_ARM64]
        else:
            self.musl, self.loader = True, [MUSL, "--list"]

    def __call__(self, path):
        """Names and paths in load order, with path None if a name is not found; or the loader's error."""
        environment = self.environment if self.musl else {**self.environment, "LD_TRACE_LOADED_OBJECTS": "1"}
        run = subprocess.run([*self.loader, path], env=environment, input=b"", capture_output=True)
        output, errors = (os.fsdecode(stream) for stream in (run.stdout, run.stderr))
        if self.musl:
            return musl_trace(output, errors)
        return glibc_trace(output) if run.returncode == 0 else errors.strip()


def glibc_trace(output):
    loads = []
    for line in output.splitlines():
        name, arrow, path = line.strip().partition(" => ")
        place = re.compile(r" \(0x[0-9a-f]+\)$")
        if not arrow:
            # An object that is needed by path.
            name = path = place.sub("", name)
            if path == "statically linked":
                continue
        # Relative paths start at the working directory, which is the root.
        loads.append((name, None if path == "not found" else os.path.join("/", place.sub("", path))))
    return without_loader(loads)


def without_loader(loads):
    return [(name, path) for name, path in loads if not LEFT_OUT.fullmatch(os.path.basename(path or name))]


def musl_trace(output, errors):
    """musl prints missing names to standard error, so that their position in the load order is unknown."""
    missing = re.findall(r"^Error loading shared library (.+?): .* \(needed by .*\)$", errors, re.M)
    return glibc_trace(output) + without_loader([(name, None) for name in missing])


def trace(root, objects, environment):
    """The loader's result for each object."""
    return dict(zip(objects, chrooted(root, Tracer(root, environment), objects)))


# --- comparing -------------------------------------------------------------------------------------

def asked(binary, root, environment):
    """cudacheck's result for each object."""
    options = [f"--env={name}={value}" for name, value in environment.items()]
    command = [binary, "image", root, "--ldd", "all", "--format", "json", *options]
    run = subprocess.run(command, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if run.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)}: status {run.returncode}\n{run.stderr}")
    entries = [json.loads(line) for line in run.stdout.splitlines()]
    said = {entry["object"]: without_loader(entry["loads"]) for entry in entries}
    return {path: loads for path, loads in said.items() if not LEFT_OUT.fullmatch(os.path.basename(path))}


def differences(truth, said):
    """Object, name and difference. The name is * for the whole object."""
    for path in sorted(truth.keys() | said.keys()):
        if path not in truth:
            yield path, "*", "cudacheck lists it, the loader does not"
        elif isinstance(truth[path], str):
            if said.get(path):
                yield path, "*", f"the loader refuses: {truth[path]}"
        elif path not in said:
            if truth[path]:
                yield path, "*", "cudacheck does not list it"
        elif truth[path] or any("/" not in name for name, _ in said[path]):
            # For an object without DT_NEEDED, ld.so lists nothing, not even libraries preloaded by path.
            yield from ((path, name, why) for name, why in unequal(truth[path], said[path]))


def unequal(truth, said):
    wanted, seen = dict(truth), dict(said)
    names = [name for name in {**wanted, **seen} if wanted.get(name, "") != seen.get(name, "")]
    show = lambda paths, name: (paths[name] or "not found") if name in paths else "not loaded"
    for name in names:
        yield name, f"loader: {show(wanted, name)}; cudacheck: {show(seen, name)}"
    # musl does not show the position of a missing name.
    order = lambda loads: [name for name, path in loads if path]
    if not names and order(truth) != order(said):
        place = next(place for place, pair in enumerate(zip(order(truth), order(said))) if pair[0] != pair[1])
        yield "*", f"different load order: loader {order(truth)[place]}, cudacheck {order(said)[place]}, at {place + 1}"


class Explained:
    """The committed list: tree, pattern of objects, pattern of names, reason."""

    def __init__(self):
        lines = EXPLAINED.read_text().splitlines() if EXPLAINED.exists() else []
        entries = [line.split("\t") for line in lines if line and not line.startswith("#")]
        wrong = [entry for entry in entries if len(entry) != 4]
        if wrong:
            sys.exit(f"{EXPLAINED}: not four fields: {wrong[0]}")
        self.used = {tuple(entry): 0 for entry in entries}

    def explains(self, tree, path, name):
        for entry in self.used:
            if entry[0] == tree and fnmatch.fnmatchcase(path, entry[1]) and fnmatch.fnmatchcase(name, entry[2]):
                self.used[entry] += 1
                return True
        return False

    def idle(self, trees):
        return [entry for entry, times in self.used.items() if entry[0] in trees and times == 0]


def plant(root):
    """Copies the libraries of wheels and of the C++ runtime to a separate directory."""
    os.mkdir(root + PLANTED)
    wanted = re.compile(r".*/nvidia/.*/lib/lib[^/]*\.so[^/]*|.*/lib(stdc\+\+|gcc_s|z|expat)\.so\.\d+[^/]*")
    for path in sorted(filter(wanted.fullmatch, regular_files(root))):
        file, name = root + path, f"{root}{PLANTED}/{os.path.basename(path)}"
        if os.path.lexists(name):
            continue
        if os.path.getsize(file) <= LARGEST_COPY:
            shutil.copyfile(file, name)
        else:
            os.symlink(path, name)


def rounds(environment):
    if environment:
        return [("the environment given", environment, False)]
    return [
        ("an empty environment", {}, False),
        ("the toolkit's LD_LIBRARY_PATH", {"LD_LIBRARY_PATH": TOOLKIT_PATH}, False),
        ("planted copies", {"LD_LIBRARY_PATH": PLANTED}, True),
        ("an odd LD_LIBRARY_PATH", {"LD_LIBRARY_PATH": ODD_PATH}, True),
    ]


def compare(binary, name, title, environment, planted, explained):
    """Prints the unexplained differences of one round; true if there are none."""
    start = time.monotonic()
    with overlay(*layers(name)) as root:
        if planted:
            plant(root)
        objects = dynamic_objects(root)
        said = asked(binary, root, environment)
        truth = trace(root, objects, environment)
    found = list(differences(truth, said))
    bad = [entry for entry in found if not explained.explains(name, entry[0], entry[1])]
    for path, soname, why in bad:
        print(f"  {path}: {soname}: {why}")
    loads = sum(len(loads) for loads in truth.values() if not isinstance(loads, str))
    refused = sum(isinstance(loads, str) for loads in truth.values())
    print(f"{'FAIL' if bad else 'ok'} {name}, {title}: {len(objects)} objects ({refused} refused), {loads} names, "
          f"{len(bad)} differ, {len(found) - len(bad)} explained, {time.monotonic() - start:.0f} s")
    return not bad


def assignment(text):
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=os.path.abspath)
    parser.add_argument("trees", nargs="+", metavar="TREE")
    parser.add_argument("--env", action="append", type=assignment, default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    private_mounts()
    explained, results = Explained(), []
    for tree in options.trees:
        for title, environment, planted in rounds(dict(options.env)):
            results.append(compare(options.binary, tree, title, environment, planted, explained))
    if not options.env:
        for entry in explained.idle(options.trees):
            print(f"FAIL unused entry in {EXPLAINED.name}: {' | '.join(entry)}")
            results.append(False)
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
