#!/usr/bin/env python3
"""Compares verdicts about real Python stacks with what happens when they run.

    stacks.py BINARY STACK...        STACK: stacks/NAME of tests/real/parts.sh, or a part with Python

In an overlay of each stack on a Debian root, with the project's fake driver in front so that frameworks go on:

- *Used* means seen to be used: every copy of a CUDA library that a framework's script opens (strace) has the verdict
  "used".
- *Missing* means that it fails: when the frameworks have been imported, each object that is said to lack a library does
  not load and names it, and each library that a program is said to open in vain cannot be opened. That stays so after
  the frameworks' scripts, unless the audit names the call that loads the library.
- What fails is told: each object of the stack that does not load after the scripts, for want of a CUDA library, is said
  to lack it, unless a sibling of it, built for another release, loads.

Needs root, strace, pyelftools, and the fakes that `cargo test --test it supervise` builds.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time

from elftools.elf.elffile import ELFFile

import loader
import redundant
from frameworks import PRELUDE, SCRIPTS, WITHOUT_DRIVER

LISTED = re.compile(r"(lib(cu|nv|nccl|npp)|nvshmem_)[\w.-]*\.so[\w.]*")
DRIVER = ("libcuda.so", "libnvidia-ml.so")
OPENED = re.compile(r'open(?:at)?\((?:AT_FDCWD, )?"(/[^"]+)".* = \d+$')

# Imports each module, loads each other object and opens each name in a process of its own, after the frameworks of the
# tree.
LOAD = """
import importlib, json
for name in json.load(sys.stdin):
    read, write = os.pipe()
    if os.fork() == 0:
        module, inside = name.split("-packages/")[-1].split(".")[0].replace("/", "."), "-packages/" in name
        try:
            if inside and name.endswith((".abi3.so", "linux-gnu.so")):
                importlib.import_module(module)
            else:
                ctypes.CDLL(name)
            said = ""
        except (ImportError, OSError, RuntimeError, AssertionError) as error:
            said = str(error)
        os.write(write, json.dumps([name, said]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        line = pipe.read() or json.dumps([name, "the process died"])
    os.wait()
    print("loaded", line, flush=True)
"""


class Stack:
    def __init__(self, root, binary, facts):
        self.root = root
        command = [binary, "image", root, "--save-facts", facts]
        run = subprocess.run(command, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if run.returncode not in (0, 1, 3):
            sys.exit(f"{' '.join(command)}: status {run.returncode}\n{run.stderr}")
        with open(facts) as file:
            saved = json.load(file)
        self.census = saved["facts"]["census"]
        self.verdicts = {copy["path"]: copy["verdict"] for copy in redundant.copies(binary, root)}
        shutil.copytree(redundant.FAKES, f"{root}/fakes", ignore=shutil.ignore_patterns("*.so.12"))
        subprocess.run(["mount", "-t", "proc", "proc", f"{root}/proc"], check=True)

    def frameworks(self):
        return [name for name in SCRIPTS if redundant.has_module(self.root, name)]

    def python(self, script, *strace, driver=True, argument=""):
        environment = dict(redundant.ENVIRONMENT, **({"LD_LIBRARY_PATH": "/fakes"} if driver else {}))
        program = next(path for path in redundant.PYTHONS if os.path.lexists(self.root + path))
        with open(f"{self.root}/job.py", "w") as file:
            file.write(PRELUDE + textwrap.dedent(script))
        command = [*strace, shutil.which("chroot"), self.root, program, "/job.py"]
        return subprocess.run(command, env=environment, input=argument, capture_output=True, text=True)

    def opened(self, name, log):
        """Copies that a framework's script opens."""
        strace = [shutil.which("strace"), "-f", "-qq", "-s", "4096", "-e", "trace=open,openat", "-o", log]
        self.python(SCRIPTS[name], *strace, driver=name not in WITHOUT_DRIVER)
        with open(log, errors="replace") as lines:
            paths = {found[1] for line in lines if (found := OPENED.search(line.rstrip()))}
        return {real for path in paths if (real := self.real(path)) in self.verdicts}

    def real(self, path):
        found = os.path.realpath(self.root + path)
        return found[len(self.root):] if found.startswith(self.root) else path

    def wrong_verdicts(self, log):
        for name in self.frameworks():
            for path in sorted(self.opened(name, log)):
                if self.verdicts[path] != "used":
                    yield f"{name} opens {path}, which is called {self.verdicts[path]}"

    def lacking(self, *lists, on_request=True):
        """Objects with the sonames that they are said to lack."""
        found = {}
        for entry in (entry for name in lists for entry in self.census.get(name, [])):
            for by in entry["by"]:
                if not entry["soname"].startswith(DRIVER) and (on_request or not entry.get("on_request")):
                    found.setdefault(by, set()).add(entry["soname"])
        return found

    def objects(self):
        """Objects of packages that are linked to CUDA libraries."""
        for path in loader.dynamic_objects(self.root):
            if "-packages/" in path:
                with open(self.root + path, "rb") as file:
                    tags = ELFFile(file).get_section_by_name(".dynamic").iter_tags("DT_NEEDED")
                    if any(LISTED.fullmatch(tag.needed) and not tag.needed.startswith(DRIVER) for tag in tags):
                        yield path

    def loads(self, wanted, script):
        """What the loader says about each object or name after `script` was run for each framework."""
        names = [name for name in self.frameworks() if name not in WITHOUT_DRIVER]
        run = self.python("".join(map(script, names)) + LOAD, argument=json.dumps(wanted))
        lines = (line.removeprefix("loaded ") for line in run.stdout.splitlines() if line.startswith("loaded "))
        return dict(map(json.loads, lines))

    def wrong_gaps(self):
        linked, opened = self.lacking("missing"), self.lacking("missing_opened")
        others = self.lacking("missing_alternatives")
        names = sorted({soname for sonames in opened.values() for soname in sonames})
        wanted = [*self.objects(), *names]
        imported = self.loads(wanted, lambda name: f"attempt(lambda: __import__({name!r}))\n")
        after = self.loads(wanted, lambda name: f"def run():\n{textwrap.indent(textwrap.dedent(SCRIPTS[name]), '    ')}\nattempt(run)\n")
        for when, said, gaps in [
            ("after the imports", imported, linked),
            ("after the scripts", after, self.lacking("missing", on_request=False)),
        ]:
            for path, sonames in sorted(gaps.items()):
                if not any(soname in said.get(path, "") for soname in sonames):
                    error = said.get(path, "is no object")
                    yield f"{path} is said to lack {', '.join(sorted(sonames))}, but {when}: {error or 'it loads'}"
        for soname in names:
            if not after[soname]:
                yield f"{soname} is said to be missing, but can be opened"
        # Without a library of its own that lacks another one, an object does not load either.
        broken = {os.path.basename(path) for path in linked}
        for path, error in sorted(after.items()):
            soname = error.split(":")[0]
            if path in self.verdicts or soname in broken:
                continue
            told = linked.get(path, set()) | others.get(path, set())
            if LISTED.fullmatch(soname) and not soname.startswith(DRIVER) and path not in names and soname not in told:
                yield f"{path} does not load, which is not told: {error}"


def prove(binary, name):
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as home, loader.overlay(*loader.layers(name)) as root:
        stack = Stack(root, binary, f"{home}/facts.json")
        wrong = [*stack.wrong_verdicts(f"{home}/log"), *stack.wrong_gaps()]
        lacking = sum(map(len, stack.lacking("missing", "missing_opened").values()))
        frameworks = ", ".join(stack.frameworks())
        used = sum(verdict == "used" for verdict in stack.verdicts.values())
    for line in wrong:
        print(f"  {line}")
    print(f"{'FAIL' if wrong else 'ok'} {name}: {frameworks}; {len(stack.verdicts)} copies, {used} used; "
          f"{lacking} needs not met; {len(wrong)} wrong; {time.monotonic() - start:.0f} s")
    return not wrong


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    loader.private_mounts()
    binary = os.path.abspath(sys.argv[1])
    results = [prove(binary, name) for name in sys.argv[2:]]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
