#!/usr/bin/env python3
"""Verifies the verdict "redundant": deletes all redundant copies of a tree and checks that nothing else changes.

    redundant.py BINARY TREE...

TREE is a part of tests/real/parts.sh, such as stacks/faiss, or a root directory. It is tested as it is and, if it has
NVIDIA wheels, also with a planted toolkit that has the same libraries, without and with a program that uses it. In an
overlay, all copies that `BINARY image TREE --format json` reports as redundant are deleted, together with links that
would dangle. Nothing else may change: what the tree's own loader resolves for every other object; what the Python
frameworks of the tree print on import with a fake driver, and the libraries mapped then; the result of dlopen for every
remaining library and everything linked to one. To load their parts, NVRTC compiles a kernel and cuDNN checks versions.
Libraries that are only loaded on a GPU, such as cuDNN's engines, are not covered; plants.py checks that these are kept.
Over all trees at least nine tenths of the bytes that can be deleted have to be found. Needs root.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import loader
from frameworks import PRELUDE, SCRIPTS, WITHOUT_DRIVER

# Opens each library in a new process, so that they do not affect each other. NVRTC and cuDNN load their parts late, but
# can be made to load them without a GPU.
DLOPEN = """
import json
libc = ctypes.CDLL(None)
libc.dlopen.restype, libc.dlerror.restype = ctypes.c_void_p, ctypes.c_char_p
def work(path):
    name, results = os.path.basename(path), []
    if name.startswith("libnvrtc.so"):
        nvrtc, program = ctypes.CDLL(path), ctypes.c_void_p()
        nvrtc.nvrtcCreateProgram(ctypes.byref(program), b"__global__ void k() {}", b"k.cu", 0, None, None)
        results += [f"nvrtcCompileProgram returned {nvrtc.nvrtcCompileProgram(program, 0, None)}"]
    if name.startswith("libcudnn.so"):
        cudnn = ctypes.CDLL(path)
        checks = [f"cudnn{part}VersionCheck" for part in ("Graph", "Ops", "Cnn", "Adv")]
        results += [f"{check} returned {getattr(cudnn, check)()}" for check in checks if hasattr(cudnn, check)]
    return results
for path in json.load(sys.stdin):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        lazy = 1
        opened = libc.dlopen(os.fsencode(path), lazy)
        said = ["opened", *work(path), *mapped()] if opened else [libc.dlerror().decode(errors="replace")]
        with os.fdopen(write, "w") as pipe:
            json.dump(said, pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = json.loads(pipe.read() or '["no output"]')
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps([path, *said, f"status {ended}"]), flush=True)
"""

FAKES = Path(__file__).parents[2] / "target/tmp/fakes"
PLANTED = "/usr/local/cuda-planted/lib64"
PYTHONS = ["/usr/local/bin/python3", "/usr/bin/python3", "/opt/conda/bin/python3", "/opt/venv/bin/python3"]
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/root", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
               "LC_ALL": "C.UTF-8"}


# --- redundant copies ------------------------------------------------------------------------------

def copies(binary, tree):
    """The copies that the report lists."""
    command = [binary, "image", tree, "--format", "json"]
    run = subprocess.run(command, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if run.returncode not in (0, 1, 3):
        sys.exit(f"{' '.join(command)}: status {run.returncode}\n{run.stderr}")
    listed = [copy for library in json.loads(run.stdout)["libraries"] for copy in library["copies"]]
    return [copy for copy in listed if copy["verdict"] != "present"]


def same_files(root, paths):
    """All hard links of some files."""
    identity = lambda path: (os.lstat(path).st_dev, os.lstat(path).st_ino)
    wanted = {identity(root + path) for path in paths}
    linked = any(os.lstat(root + path).st_nlink > 1 for path in paths)
    others = (path for path in loader.regular_files(root) if identity(root + path) in wanted) if linked else ()
    return set(paths) | set(others)


class LeadsTo:
    """Whether a link leads to one of these files, inside the root."""

    def __init__(self, files):
        self.files = files

    def __call__(self, link):
        return os.path.realpath(link) in self.files


def links_to(root, files):
    links = [
        f"{directory}/{name}"[len(root):]
        for directory, folders, names in os.walk(root)
        for name in names
        if os.path.islink(f"{directory}/{name}")
    ]
    return {link for link, leads in zip(links, loader.chrooted(root, LeadsTo(files), links)) if leads}


# --- what must not change --------------------------------------------------------------------------

class Python:
    """The tree's own Python, run in a chroot of the tree."""

    def __init__(self, root, **environment):
        self.environment = ENVIRONMENT | environment
        self.program = next((path for path in PYTHONS if os.path.lexists(root + path)), None)

    def __call__(self, job):
        """Output, and the last line of the error if it fails."""
        script, argument = job
        command = [self.program, "-c", PRELUDE + script]
        run = subprocess.run(command, env=self.environment, input=argument, capture_output=True, text=True)
        last = run.stderr.strip().splitlines()[-1:] if run.returncode else []
        # Without the time and the process that some frameworks print.
        last = [re.sub(r"\d\d:\d\d:\d\d\.\d+ +\d+", "", line) for line in last]
        return run.stdout.splitlines() + [f"status {run.returncode}: {line}" for line in last]


def has_module(root, name):
    places = ("lib/python3*/site-packages", "lib/python3*/dist-packages", "lib/python3/dist-packages")
    homes = ("usr/local", "usr", "opt/conda", "opt/venv")
    return any(glob.glob(f"{root}/{home}/{place}/{name.replace('.', '/')}/__init__.py") for home in homes for place in places)


def imports(root):
    """Output of each framework's script, and the files that are mapped at the end."""
    said = {}
    for without in (True, False):
        python = Python(root) if without else Python(root, LD_LIBRARY_PATH="/fakes")
        names = [name for name in SCRIPTS if has_module(root, name) and (name in WITHOUT_DRIVER) == without]
        jobs = [(textwrap.dedent(SCRIPTS[name]) + "print(*mapped(), sep='\\n')\n", "") for name in names]
        said |= zip(names, loader.chrooted(root, python, jobs))
    return said


def opened(root, python, libraries):
    """Result of dlopen for each library, mapped files, and exit status of the process."""
    halves = [(DLOPEN, json.dumps(libraries[half::2])) for half in (0, 1)]
    lines = [line for said in loader.chrooted(root, python, halves) for line in said]
    return {path: outcome for path, *outcome in map(json.loads, lines)}


def ldconfig(root):
    subprocess.run(["/sbin/ldconfig", "-r", root], check=True, stderr=subprocess.DEVNULL)


def look(root, objects, remaining):
    subprocess.run(["mount", "-t", "proc", "proc", f"{root}/proc"], check=True)
    traced, python = loader.trace(root, objects, {}), Python(root)
    seen = {"resolved by the loader": traced, "import": {}, "dlopen": {}}
    if python.program:
        # With a fake driver in front, frameworks look for their other libraries.
        shutil.copytree(FAKES, f"{root}/fakes", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.so.12"))
        seen["import"] = imports(root)
        seen["dlopen"] = opened(root, python, concerned(traced, remaining))
    if os.path.exists(f"{root}/etc/ld.so.cache"):
        # As package managers do after removing a library.
        ldconfig(root)
        seen["resolved after ldconfig"] = loader.trace(root, objects, {})
    return seen


def concerned(traced, remaining):
    """Libraries for dlopen: those that remain, and those linked to one of them."""
    names = {os.path.basename(path) for path in remaining}

    def linked(loads):
        return not isinstance(loads, str) and any(os.path.basename(path or name) in names for name, path in loads)

    return [path for path in traced if ".so" in path and (path in remaining or linked(traced[path]))]


# --- the comparison --------------------------------------------------------------------------------

def show(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) < 400 else text[:400] + "…"


def changes(before, after):
    for what in before:
        for name in sorted(before[what].keys() | after[what].keys()):
            old, new = before[what].get(name), after[what].get(name)
            if old == new:
                continue
            if isinstance(old, list) and isinstance(new, list):
                old, new = [x for x in old if x not in new] or old, [x for x in new if x not in old] or new
            yield f"{what}: {name}\n      before: {show(old)}\n      after:  {show(new)}"


def failures(seen):
    """Imports that fail even before the deletion."""
    for name in ("torch",):
        for line in seen["import"].get(name, []):
            if re.match(r"status \d", line):
                yield f"import {name} fails before anything is deleted: {line}"


def prove(binary, name, *above, title=""):
    """Prints what the deletion changes in a tree (with `above` on top); true if nothing changes."""
    start = time.monotonic()
    trees = [*above, *loader.layers(name)]
    with loader.overlay(*trees) as before, loader.overlay(*trees) as after:
        for root in (before, after) if above else ():
            ldconfig(root)
        listed = copies(binary, before)
        redundant = [copy for copy in listed if copy["verdict"] == "redundant"]
        remaining = {copy["path"] for copy in listed if copy["verdict"] not in ("redundant", "stub")}
        links = delete(after, redundant)
        objects = [path for path in loader.dynamic_objects(before) if os.path.lexists(after + path)]
        seen = look(before, objects, remaining)
        changed = list(changes(seen, look(after, objects, remaining)))
        silent = passed_over(listed, redundant) if above and not changed else []
        if silent:
            # What else could have been found: copies that are unused, have a used copy of their soname, and can be deleted.
            with loader.overlay(*trees) as more:
                ldconfig(more)
                delete(more, redundant + silent)
                objects = [path for path in objects if os.path.lexists(more + path)]
                left = remaining - {copy["path"] for copy in silent}
                without = look(more, objects, left)
                kept = {what: {key: found[key] for key in found.keys() & without[what].keys()} for what, found in seen.items()}
                breaks = list(changes(kept, without))
                for change in breaks[:3]:
                    print(f"  rightly kept, as without all that is unreferenced: {change}")
                silent = [] if breaks else silent
    changed += failures(seen)
    for change in changed:
        print(f"  {change}")
    for framework, lines in seen["import"].items():
        said = [line for line in lines if not line.startswith("/")]
        print(f"  {framework}: {show(' | '.join(said))}")
    opened_well = sum(outcome[0] == "opened" for outcome in seen["dlopen"].values())
    size, missed = (sum(copy["bytes"] for copy in some) / 1e6 for some in (redundant, silent))
    share = size / (size + missed) if size + missed else 1
    print(f"{'FAIL' if changed else 'ok'} {name}{title}: {len(redundant)} redundant files of {size:.1f} MB and {links} links "
          f"deleted; {len(objects)} objects resolved, {len(seen['import'])} frameworks imported, {len(seen['dlopen'])} "
          f"libraries opened ({opened_well} without an error), {len(remaining)} copies remain; {len(changed)} changes; "
          f"{share:.0%} of the bytes found; {time.monotonic() - start:.0f} s")
    return not changed, size, missed


def delete(root, chosen):
    """Deletes copies with all their names; the number of links that go with them."""
    deleted = same_files(root, {copy["path"] for copy in chosen})
    links = links_to(root, deleted)
    for path in deleted | links:
        os.unlink(root + path)
    return len(links)


def passed_over(listed, redundant):
    """Copies without a known user beside a used copy with the same soname."""
    used = {copy["soname"] for copy in listed if copy["verdict"] == "used"}
    others = (copy for copy in listed if copy["verdict"] == "unreferenced" and copy not in redundant)
    return [copy for copy in others if copy["soname"] in used]


def plant(binary, name, home):
    """Creates a toolkit with a copy of each wheel's library, in the loader's configuration; the number of libraries."""
    toolkit, configured = f"{home}{PLANTED}", f"{home}/etc/ld.so.conf.d"
    os.makedirs(toolkit)
    os.makedirs(configured)
    with loader.overlay(*loader.layers(name)) as tree:
        wheels = [copy["path"] for copy in copies(binary, tree) if copy["origin"] == "wheel"]
        for path in wheels:
            shutil.copyfile(tree + path, f"{toolkit}/{os.path.basename(path)}")
    with open(f"{configured}/planted.conf", "w") as file:
        file.write(f"{PLANTED}\n")
    return len(wheels)


def program(home):
    """Adds a program that is linked to the planted runtime and cuBLAS."""
    wanted = ("libcudart.so.", "libcublas.so.", "libcufft.so.")
    needs = [f"{home}{PLANTED}/{name}" for name in os.listdir(home + PLANTED) if name.startswith(wanted)]
    os.makedirs(f"{home}/usr/local/bin")
    subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-o", f"{home}/usr/local/bin/planted", "-Wl,--no-as-needed,"
                    "--allow-shlib-undefined", *needs], input="int main(void) { return 0; }", text=True, check=True)


def prove_all(binary, name):
    """Tests the tree as it is, beside a toolkit with the same libraries, and with a program that uses that toolkit."""
    yield prove(binary, name)
    # On disk, because it may be too large for memory.
    with tempfile.TemporaryDirectory(prefix="planted-", dir=loader.PARTS) as home:
        if plant(binary, name, home):
            yield prove(binary, name, home, title=" with a toolkit planted")
            program(home)
            yield prove(binary, name, home, title=" with a toolkit planted and a program that uses it")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if not FAKES.is_dir():
        sys.exit(f"{FAKES} is missing: `cargo test --test it supervise` builds the fakes")
    loader.private_mounts()
    binary = os.path.abspath(sys.argv[1])
    proofs = [proof for name in sys.argv[2:] for proof in prove_all(binary, name)]
    results = [unchanged for unchanged, *_ in proofs]
    size, missed = (sum(proof[place] for proof in proofs) for place in (1, 2))
    share = size / (size + missed) if size + missed else 1
    results.append(share >= 0.9)
    print(f"{'ok' if results[-1] else 'FAIL'} {share:.1%} of {size + missed:.0f} MB that can be deleted were found")
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
