#!/usr/bin/env python3
"""Verifies the verdict "redundant": deletes all redundant copies of a tree and checks that nothing else changes.

    redundant.py BINARY TREE...

TREE is a part of tests/real/parts.sh or a root directory. It is tested as it is and, if it has NVIDIA wheels, also with
a planted toolkit that has the same libraries. In an overlay, all copies that `BINARY image TREE --format json` reports
as redundant are deleted, together with links that would dangle. Nothing else may change: what the tree's own loader
resolves for every other object; what the Python frameworks of the tree print on import, and the libraries mapped then;
the result of dlopen for every remaining library and everything linked to one. To load their parts, NVRTC compiles a
kernel and cuDNN checks versions. Libraries that are only loaded on a GPU, such as cuDNN's engines, are not covered;
plants.py checks that these are kept. Needs root.
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

import loader

# A script for each framework. It prints what must not change, and finally triggers libraries that are loaded late.
IMPORTS = {
    "torch": """
        import torch, torch._C
        print(torch.__version__, torch.version.cuda, torch._C.__file__, torch.cuda.is_available())
        print(torch.backends.cudnn.version(), torch.cuda.nccl.version(), torch.profiler.kineto_available())
        print(torch.linalg.inv(torch.eye(3)).sum().item())
        with torch.profiler.profile(activities=list(torch.profiler.ProfilerActivity.__members__.values())[:2]):
            print((torch.ones(2, 2) @ torch.ones(2, 2)).sum().item())
        attempt(lambda: torch._C._cuda_init())
        attempt(lambda: torch.cuda._utils._get_nvrtc_library())
        attempt(lambda: torch.ops.load_library(torch.__path__[0] + "/lib/libcaffe2_nvrtc.so"))
        attempt(lambda: torch.ops.load_library(torch.__path__[0] + "/lib/libtorch_cuda_linalg.so"))
        """,
    "triton": """
        import triton
        from triton._C import libtriton
        print(triton.__version__, libtriton.__file__)
        attempt(lambda: __import__("triton.profiler").profiler.start("/tmp/profile"))
        """,
    "cuda.bindings": """
        from cuda.bindings import nvrtc
        print(nvrtc.nvrtcVersion())
        for name in ["driver", "nvjitlink", "nvvm", "nvfatbin", "cufile", "nvml"]:
            attempt(lambda: __import__(f"cuda.bindings.{name}"))
        attempt(lambda: __import__("cuda.bindings.nvjitlink").bindings.nvjitlink.version())
        attempt(lambda: __import__("cuda.bindings.nvvm").bindings.nvvm.version())
        """,
    "jax": """
        import jax
        print(jax.__version__, jax.devices(), jax.numpy.linalg.inv(jax.numpy.eye(3)).sum())
        attempt(lambda: __import__("jax_cuda12_plugin._versions")._versions.cudnn_get_version())
        attempt(lambda: __import__("jax_plugins.xla_cuda12").xla_cuda12.initialize())
        """,
    "cupy": """
        import cupy
        print(cupy.__version__)
        attempt(lambda: cupy.cuda.runtime.runtimeGetVersion())
        attempt(lambda: cupy.show_config())
        for name in ["cublas", "cufft", "curand", "cusolver", "cusparse", "nvrtc", "cudnn", "nccl", "cutensor"]:
            attempt(lambda: __import__(f"cupy_backends.cuda.libs.{name}"))
            attempt(lambda: getattr(__import__(f"cupy.cuda.{name}").cuda, name).getVersion())
        """,
    "onnxruntime": """
        import ctypes, os, onnxruntime
        print(onnxruntime.__version__, onnxruntime.get_available_providers())
        attempt(lambda: onnxruntime.preload_dlls())
        capi = os.path.dirname(onnxruntime.capi.__file__)
        for name in ["shared", "cuda", "tensorrt"]:
            attempt(lambda: ctypes.CDLL(f"{capi}/libonnxruntime_providers_{name}.so", ctypes.RTLD_GLOBAL))
        """,
}

# Prepended to each script, which runs in the tree's own Python.
PRELUDE = """
import ctypes, os, re, sys
def attempt(call):
    try:
        # Without addresses, which differ between runs.
        print(re.sub("(handle|at) (0x)?[0-9a-f]+", "", str(call())))
    except BaseException as error:
        print(f"{type(error).__name__}: {error}")
def mapped():
    lines = open("/proc/self/maps").read().splitlines()
    return sorted({line.split(None, 5)[5] for line in lines if ".so" in line})
"""

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

PLANTED = "/usr/local/cuda-planted/lib64"
PYTHONS = ["/usr/local/bin/python3", "/usr/bin/python3", "/opt/conda/bin/python3", "/opt/venv/bin/python3"]
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/root", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}


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

    def __init__(self, root):
        self.program = next((path for path in PYTHONS if os.path.lexists(root + path)), None)

    def __call__(self, job):
        """Output, and the last line of the error if it fails."""
        script, argument = job
        command = [self.program, "-c", PRELUDE + script]
        run = subprocess.run(command, env=ENVIRONMENT, input=argument, capture_output=True, text=True)
        last = run.stderr.strip().splitlines()[-1:] if run.returncode else []
        return run.stdout.splitlines() + [f"status {run.returncode}: {line}" for line in last]


def has_module(root, name):
    places = ("lib/python3*/site-packages", "lib/python3*/dist-packages", "lib/python3/dist-packages")
    homes = ("usr/local", "usr", "opt/conda", "opt/venv")
    return any(glob.glob(f"{root}/{home}/{place}/{name.replace('.', '/')}/__init__.py") for home in homes for place in places)


def imports(root, python):
    """Output of each framework's script, and the files that are mapped at the end."""
    names = [name for name in IMPORTS if has_module(root, name)]
    jobs = [(textwrap.dedent(IMPORTS[name]) + "print(*mapped(), sep='\\n')\n", "") for name in names]
    return dict(zip(names, loader.chrooted(root, python, jobs)))


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
        seen["import"] = imports(root, python)
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


def prove(binary, name, *lower):
    """Prints what the deletion changes in a tree (on top of `lower`); true if nothing changes."""
    start = time.monotonic()
    with loader.overlay(*lower, loader.part(name)) as before, loader.overlay(*lower, loader.part(name)) as after:
        for root in (before, after) if lower else ():
            ldconfig(root)
        listed = copies(binary, before)
        redundant = [copy for copy in listed if copy["verdict"] == "redundant"]
        remaining = {copy["path"] for copy in listed if copy["verdict"] not in ("redundant", "stub")}
        deleted = same_files(after, {copy["path"] for copy in redundant})
        links = links_to(after, deleted)
        for path in deleted | links:
            os.unlink(after + path)
        objects = [path for path in loader.dynamic_objects(before) if path not in deleted]
        seen = look(before, objects, remaining)
        changed = list(changes(seen, look(after, objects, remaining)))
    changed += failures(seen)
    for change in changed:
        print(f"  {change}")
    for framework, lines in seen["import"].items():
        said = [line for line in lines if not line.startswith("/")]
        print(f"  {framework}: {show(' | '.join(said))}")
    opened_well = sum(outcome[0] == "opened" for outcome in seen["dlopen"].values())
    size = sum(copy["bytes"] for copy in redundant)
    print(f"{'FAIL' if changed else 'ok'} {name}{' with a toolkit planted' if lower else ''}: {len(redundant)} redundant "
          f"files of {size / 1e6:.1f} MB and {len(links)} links deleted; {len(objects)} objects resolved, "
          f"{len(seen['import'])} frameworks imported, {len(seen['dlopen'])} libraries opened ({opened_well} without an "
          f"error), {len(remaining)} copies remain; {len(changed)} changes; {time.monotonic() - start:.0f} s")
    return not changed


def plant(binary, name, home):
    """Creates a toolkit with a copy of each wheel's library, in the loader's configuration; true if there is any."""
    tree = loader.part(name)
    wheels = [copy["path"] for copy in copies(binary, tree) if copy["origin"] == "wheel"]
    toolkit, configured = f"{home}{PLANTED}", f"{home}/etc/ld.so.conf.d"
    os.makedirs(toolkit)
    os.makedirs(configured)
    for path in wheels:
        shutil.copyfile(tree + path, f"{toolkit}/{os.path.basename(path)}")
    with open(f"{configured}/planted.conf", "w") as file:
        file.write(f"{PLANTED}\n")
    return bool(wheels)


def prove_both(binary, name):
    """Tests the tree as it is, and with a planted toolkit, which makes many copies redundant."""
    yield prove(binary, name)
    # On disk, because it may be too large for memory.
    with tempfile.TemporaryDirectory(prefix="planted-", dir=loader.PARTS) as home:
        if plant(binary, name, home):
            yield prove(binary, name, home)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    loader.private_mounts()
    binary = os.path.abspath(sys.argv[1])
    results = [result for name in sys.argv[2:] for result in prove_both(binary, name)]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
