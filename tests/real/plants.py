#!/usr/bin/env python3
"""Tests the verdict "redundant" in small planted root file systems: copies that can go, and copies that must stay.

    plants.py BINARY [WORD]        with WORD only the plants with this word in their title

Each plant is a small root with tiny libraries linked by gcc (with the names, needs and search paths that matter), this
machine's glibc and a cache written by ldconfig. It defines the right verdict for each planted file. These definitions
are tested, too: without all copies that can go, the root's loader must still resolve everything else as before.
cudacheck's emulation of the loader is also compared. Finally prints a table of right and reported verdicts. The exit
status is 1 if a copy that can go was not reported as redundant, if a copy that must stay was, or if the loader was
emulated wrongly. Other wrong verdicts are only listed. Needs gcc and root.
"""

import collections
import hashlib
import json
import os
import py_compile
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap

import loader

SITE = "/usr/local/lib/python3.11/dist-packages"
SYSTEM = "/usr/lib/x86_64-linux-gnu"
TOOLKIT = "/usr/local/cuda-12.4"
TARGET = f"{TOOLKIT}/targets/x86_64-linux/lib"
CONDA = "/opt/conda"
PLANTS = []
# Directories of libraries in wheels, by the stem of the file.
WHEELS = {
    "cudart": "cuda_runtime", "cublas": "cublas", "cublasLt": "cublas", "cudnn": "cudnn", "nvrtc": "cuda_nvrtc", "cufft": "cufft",
    "nvrtc-builtins": "cuda_nvrtc", "nccl": "nccl", "cupti": "cuda_cupti", "nvJitLink": "nvjitlink", "cusparse": "cusparse",
    "cusolver": "cusolver", "curand": "curand",
}
CUDNN_PARTS = ["adv", "cnn", "engines_precompiled", "engines_runtime_compiled", "graph", "heuristic", "ops"]


# --- building roots --------------------------------------------------------------------------------

class Toolchain:
    """Links each different library once."""

    def __init__(self, home):
        self.home = home

    def build(self, kind, soname="", needs=(), rpath="", runpath="", opens=(), data="", hand="dlopen", flags=()):
        key = hashlib.sha256(repr((kind, soname, needs, rpath, runpath, opens, data, hand, flags)).encode()).hexdigest()[:16]
        output = f"{self.home}/{key}"
        if os.path.exists(output):
            return output
        lines = [f"void *{hand}(const char *, int);"] if opens else []
        lines += [f"void *open_{n}(void) {{ return {hand}({json.dumps(name)}, 1); }}" for n, name in enumerate(opens)]
        lines += [f"const char data[] = {json.dumps(data)};"] if data else []
        lines += ["int main(void) { return 0; }"] if kind == "program" else ["void nothing(void) {}"]
        command = ["gcc", "-w", "-O1", "-x", "c", "-", "-x", "none", "-o", output, "-Wl,--no-as-needed,--allow-shlib-undefined"]
        command += [self.stub(need) for need in needs]
        command += ["-nostdlib", "-shared", "-fPIC"] if kind == "library" else ["-ldl"]
        command += [f"-Wl,-soname,{soname}"] if soname else []
        command += [f"-Wl,--disable-new-dtags,-rpath,{rpath}"] if rpath else []
        command += [f"-Wl,--enable-new-dtags,-rpath,{runpath}"] if runpath else []
        subprocess.run([*command, *flags], input="\n".join(lines), text=True, check=True)
        return output

    def stub(self, soname):
        """A library with this soname to link to."""
        return self.build("library", soname=soname)


class Root:
    """Builds a root, with the right verdicts for its files."""

    def __init__(self, home, toolchain, base):
        self.home, self.toolchain = home, toolchain
        self.expected, self.environment, self.configured, self.mounts = {}, {}, [], []
        shutil.copytree(base, home, symlinks=True, copy_function=os.link)

    def place(self, path):
        os.makedirs(os.path.dirname(self.home + path), exist_ok=True)
        return self.home + path

    def lib(self, path, verdict=None, **how):
        """A library; by default its soname is its file name up to the first number."""
        name = os.path.basename(path)
        short = re.match(r".*\.so(\.\d+)?", name)[0]
        soname = how.pop("soname", name if "builtins" in name else short)
        shutil.copyfile(self.toolchain.build("library", soname=soname, **how), self.place(path))
        if soname and soname != name and not os.path.lexists(self.home + os.path.join(os.path.dirname(path), soname)):
            self.link(os.path.join(os.path.dirname(path), soname), name)
        if verdict:
            self.expected[path] = verdict

    def program(self, path, **how):
        shutil.copyfile(self.toolchain.build("program", **how), self.place(path))
        os.chmod(self.home + path, 0o755)

    def link(self, path, target):
        os.symlink(target, self.place(path))

    def hard(self, path, other):
        os.link(self.home + other, self.place(path))

    def text(self, path, text):
        with open(self.place(path), "w") as file:
            file.write(textwrap.dedent(text).lstrip())

    def python(self, path, text):
        self.text(path, "import ctypes, os\n" + textwrap.dedent(text).lstrip())

    def search(self, *directories):
        """Adds directories to ld.so.conf."""
        self.configured += directories

    def wheel(self, name, verdict=None, site=SITE, **how):
        """A library as in NVIDIA's wheels for CUDA 12."""
        stem = re.match(r"lib([\w-]+?)(_\w+)?\.so", name)[1]
        path = f"{site}/nvidia/{WHEELS[stem]}/lib/{name}"
        how.setdefault("runpath", "$ORIGIN:$ORIGIN/../../cublas/lib:$ORIGIN/../../nvjitlink/lib")
        self.lib(path, verdict, **how)
        record = f"{site}/nvidia_{WHEELS[stem]}_cu12-12.4.1.dist-info"
        self.text(f"{record}/METADATA", f"Name: nvidia-{WHEELS[stem].replace('_', '-')}-cu12\nVersion: 12.4.1\n")
        with open(self.place(f"{record}/RECORD"), "a") as file:
            file.write(f"{os.path.relpath(path, site)},,\n")
        return path

    def torch(self, *needs, site=SITE, **how):
        """torch's library that loads all others: it finds the wheels by DT_RPATH."""
        rpath = ":".join(f"$ORIGIN/../../nvidia/{home}/lib" for home in sorted(set(WHEELS.values()))) + ":$ORIGIN"
        self.lib(f"{site}/torch/lib/libtorch_cuda.so", needs=needs, rpath=rpath, **how)

    def toolkit(self, verdict=None, *names, version="12.4", **how):
        """Libraries as NVIDIA's packages install them: links, and a directory in the loader's configuration."""
        home = f"/usr/local/cuda-{version}"
        if not os.path.lexists(f"{self.home}{home}/lib64"):
            self.link(f"{home}/lib64", "targets/x86_64-linux/lib")
            self.search(f"{home}/targets/x86_64-linux/lib")
        if not os.path.lexists(f"{self.home}/usr/local/cuda"):
            self.link("/etc/alternatives/cuda", home)
            self.link("/usr/local/cuda", "/etc/alternatives/cuda")
        for name in names:
            self.lib(f"{home}/targets/x86_64-linux/lib/{name}", verdict, **how)

    def cudnn(self, directory, verdict=None, **how):
        """The library and its parts, which it opens by name when it first needs them."""
        names = tuple(f"libcudnn_{part}.so.9" for part in CUDNN_PARTS)
        self.lib(f"{directory}/libcudnn.so.9", verdict, runpath="$ORIGIN", opens=names, **how)
        for name in names:
            needs = () if "graph" in name else ("libcudnn_graph.so.9",)
            self.lib(f"{directory}/{name}", verdict, runpath="$ORIGIN", needs=needs)

    def finish(self):
        self.text("/etc/ld.so.conf", "\n".join([*self.configured, "/usr/local/lib", SYSTEM, ""]))
        subprocess.run(["/sbin/ldconfig", "-r", self.home], check=True, stderr=subprocess.DEVNULL)


def plant(title):
    return lambda function: PLANTS.append((title, function))


# --- copies that can go ----------------------------------------------------------------------------

@plant("a toolkit and wheels that torch finds by RPATH")
def _(r):
    r.toolkit("redundant", "libcublas.so.12.4.5.8", needs=("libcublasLt.so.12",))
    r.toolkit("redundant", "libcublasLt.so.12.4.5.8", "libcudart.so.12.4.127")
    r.wheel("libcublas.so.12", "used", needs=("libcublasLt.so.12",))
    r.wheel("libcublasLt.so.12", "used")
    r.wheel("libcudart.so.12", "used")
    r.torch("libcublas.so.12", "libcublasLt.so.12", "libcudart.so.12")


@plant("wheels and a toolkit that the program finds by the cache")
def _(r):
    r.toolkit("used", "libcublas.so.12.4.5.8", needs=("libcublasLt.so.12",))
    r.toolkit("used", "libcublasLt.so.12.4.5.8")
    r.wheel("libcublas.so.12", "redundant", needs=("libcublasLt.so.12",))
    r.wheel("libcublasLt.so.12", "redundant")
    r.program("/usr/local/bin/app", needs=("libcublas.so.12",))


@plant("a whole toolkit with libraries that need each other")
def _(r):
    r.toolkit("redundant", "libcusolver.so.11.6.1.9", runpath="$ORIGIN",
              needs=("libcublas.so.12", "libcusparse.so.12", "libnvJitLink.so.12"))
    r.toolkit("redundant", "libcusparse.so.12.3.1.170", needs=("libnvJitLink.so.12",), runpath="$ORIGIN")
    r.toolkit("redundant", "libcublas.so.12.4.5.8", needs=("libcublasLt.so.12",), runpath="$ORIGIN")
    r.toolkit("redundant", "libcublasLt.so.12.4.5.8", "libnvJitLink.so.12.4.127")
    r.wheel("libcusolver.so.11", "used", needs=("libcublas.so.12", "libcusparse.so.12", "libnvJitLink.so.12"),
            runpath="$ORIGIN/../../cublas/lib:$ORIGIN/../../cusparse/lib:$ORIGIN/../../nvjitlink/lib")
    r.wheel("libcusparse.so.12", "used", needs=("libnvJitLink.so.12",))
    r.wheel("libcublas.so.12", "used", needs=("libcublasLt.so.12",))
    r.wheel("libcublasLt.so.12", "used")
    r.wheel("libnvJitLink.so.12", "used")
    r.torch("libcusolver.so.11")


@plant("two sites of wheels, one with torch")
def _(r):
    venv = "/opt/venv/lib/python3.11/site-packages"
    for name in ("libcudart.so.12", "libcublas.so.12"):
        r.wheel(name, "used", site=venv)
        r.wheel(name, "redundant")
    r.torch("libcudart.so.12", "libcublas.so.12", site=venv)


@plant("wheels in the user's site and in the system's")
def _(r):
    r.wheel("libnccl.so.2", "redundant", site="/root/.local/lib/python3.11/site-packages")
    r.wheel("libnccl.so.2", "used")
    r.torch("libnccl.so.2")


@plant("libraries of conda and wheels in its site")
def _(r):
    site = f"{CONDA}/lib/python3.11/site-packages"
    r.lib(f"{CONDA}/lib/libcublas.so.12.4.5.8", "redundant")
    r.lib(f"{CONDA}/lib/libcudart.so.12.4.127", "redundant")
    r.wheel("libcublas.so.12", "used", site=site)
    r.wheel("libcudart.so.12", "used", site=site)
    r.torch("libcublas.so.12", "libcudart.so.12", site=site)
    r.text(f"{CONDA}/conda-meta/libcublas-12.4.5.8-0.json", json.dumps(
        {"name": "libcublas", "version": "12.4.5.8", "files": ["lib/libcublas.so.12", "lib/libcublas.so.12.4.5.8"]}))


@plant("wheels in conda's site and a torch built by conda")
def _(r):
    site = f"{CONDA}/lib/python3.11/site-packages"
    r.lib(f"{CONDA}/lib/libcublas.so.12.4.5.8", "used")
    r.wheel("libcublas.so.12", "redundant", site=site)
    r.lib(f"{site}/torch/lib/libtorch_cuda.so", needs=("libcublas.so.12",), rpath="$ORIGIN/../../../../")


@plant("conda's package store with copies instead of links")
def _(r):
    r.lib(f"{CONDA}/lib/libcufft.so.11.2.1.3", "used")
    r.lib(f"{CONDA}/pkgs/libcufft-11.2.1.3-0/lib/libcufft.so.11.2.1.3", "redundant")
    r.program(f"{CONDA}/bin/app", needs=("libcufft.so.11",), rpath="$ORIGIN/../lib")


@plant("uv's store with copies instead of links")
def _(r):
    r.wheel("libcublas.so.12", "used")
    r.lib("/root/.cache/uv/archive-v0/Qz3/nvidia/cublas/lib/libcublas.so.12", "redundant")
    r.torch("libcublas.so.12")


@plant("a vendored copy with a hashed name that nothing needs any more")
def _(r):
    r.wheel("libcublas.so.12", "used")
    r.lib(f"{SITE}/old.libs/libcublas-1a2b3c4d.so.12", "redundant")
    r.torch("libcublas.so.12")


@plant("the same hashed copy in two sites, one of them in use")
def _(r):
    venv = "/opt/venv/lib/python3.11/site-packages"
    r.lib(f"{SITE}/fast.libs/libcudart-1a2b3c4d.so.12.4.127", "redundant", soname="libcudart-1a2b3c4d.so.12.4.127")
    r.lib(f"{venv}/fast.libs/libcudart-1a2b3c4d.so.12.4.127", "used", soname="libcudart-1a2b3c4d.so.12.4.127")
    r.lib(f"{venv}/fast/_ext.so", needs=("libcudart-1a2b3c4d.so.12.4.127",), rpath="$ORIGIN/../fast.libs")


@plant("two toolkits, of which the cache has one first")
def _(r):
    r.toolkit("used", "libcudart.so.12.4.127")
    r.toolkit("redundant", "libcudart.so.12.2.140", version="12.2")
    r.program("/usr/local/bin/app", needs=("libcudart.so.12",))


@plant("two toolkits and wheels")
def _(r):
    r.toolkit("redundant", "libcudart.so.12.4.127")
    r.toolkit("redundant", "libcudart.so.12.2.140", version="12.2")
    r.wheel("libcudart.so.12", "used")
    r.torch("libcudart.so.12")


@plant("a toolkit that no configuration leads to")
def _(r):
    r.lib("/opt/cuda/lib64/libcusparse.so.12.3.1", "redundant")
    r.lib(f"{SYSTEM}/libcusparse.so.12.3.1", "used")
    r.program("/usr/bin/app", needs=("libcusparse.so.12",))


@plant("a copy in the application's directory, not on any path")
def _(r):
    r.lib("/app/libs/libcudart.so.12", "redundant")
    r.toolkit("used", "libcudart.so.12.4.127")
    r.program("/app/bin/server", needs=("libcudart.so.12",))


@plant("a copy left behind by a build")
def _(r):
    r.lib("/tmp/build/install/lib/libnccl.so.2.21.5", "redundant")
    r.lib(f"{SYSTEM}/libnccl.so.2.21.5", "used")
    r.program("/usr/bin/all_reduce", needs=("libnccl.so.2",))


@plant("a system NCCL and the wheel")
def _(r):
    r.lib(f"{SYSTEM}/libnccl.so.2.22.3", "redundant")
    r.wheel("libnccl.so.2", "used")
    r.torch("libnccl.so.2")


@plant("a system cuDNN with all parts, and the wheel")
def _(r):
    r.cudnn(SYSTEM, "redundant")
    r.cudnn(f"{SITE}/nvidia/cudnn/lib", "used")
    r.torch("libcudnn.so.9")


@plant("a wheel's cuDNN with all parts, and the system's")
def _(r):
    r.cudnn(SYSTEM, "used")
    r.cudnn(f"{SITE}/nvidia/cudnn/lib", "redundant")
    r.program("/usr/bin/infer", needs=("libcudnn.so.9",))


@plant("a system NVRTC with builtins of the same release, and the wheel")
def _(r):
    r.toolkit("redundant", "libnvrtc.so.12.4.127", "libnvrtc-builtins.so.12.4")
    r.wheel("libnvrtc.so.12", "used", opens=("libnvrtc-builtins.so.12.4",))
    r.wheel("libnvrtc-builtins.so.12.4", "used")
    r.torch("libnvrtc.so.12")


@plant("a toolkit's CUPTI and the wheel's")
def _(r):
    r.lib(f"{TOOLKIT}/extras/CUPTI/lib64/libcupti.so.12", "redundant")
    r.wheel("libcupti.so.12", "used")
    r.torch("libcupti.so.12")


@plant("/usr/lib and the multiarch directory")
def _(r):
    r.lib(f"{SYSTEM}/libcurand.so.10.3.5", "used")
    r.lib("/usr/lib/libcurand.so.10.3.5", "redundant")
    r.program("/usr/bin/monte-carlo", needs=("libcurand.so.10",))


@plant("/usr/local/lib before the distribution's directories")
def _(r):
    r.lib("/usr/local/lib/libcurand.so.10.3.5", "used")
    r.lib(f"{SYSTEM}/libcurand.so.10.3.0", "redundant")
    r.program("/usr/bin/monte-carlo", needs=("libcurand.so.10",))


@plant("three copies: the program's own, the wheel's, the toolkit's")
def _(r):
    r.toolkit("redundant", "libcudart.so.12.4.127")
    r.wheel("libcudart.so.12", "used")
    r.lib("/app/lib/libcudart.so.12", "used")
    r.torch("libcudart.so.12")
    r.program("/app/bin/server", needs=("libcudart.so.12",), runpath="$ORIGIN/../lib")


@plant("TensorFlow's RUNPATH to the wheels, and a toolkit")
def _(r):
    r.toolkit("redundant", "libcudart.so.12.4.127", "libcufft.so.11.2.1.3")
    r.wheel("libcudart.so.12", "used")
    r.wheel("libcufft.so.11", "used")
    r.lib(f"{SITE}/tensorflow/libtensorflow_cc.so.2", needs=("libcudart.so.12", "libcufft.so.11"),
          runpath="$ORIGIN/../nvidia/cuda_runtime/lib:$ORIGIN/../nvidia/cufft/lib")


@plant("LD_LIBRARY_PATH before the cache")
def _(r):
    r.environment["LD_LIBRARY_PATH"] = "/opt/libs"
    r.lib("/opt/libs/libcudart.so.12", "used")
    r.lib(f"{SYSTEM}/libcudart.so.12.4.127", "redundant")
    r.program("/usr/bin/app", needs=("libcudart.so.12",))


@plant("LD_LIBRARY_PATH with two directories")
def _(r):
    r.environment["LD_LIBRARY_PATH"] = "/opt/none:/opt/first:/opt/second"
    r.lib("/opt/first/libcufft.so.11", "used")
    r.lib("/opt/second/libcufft.so.11", "redundant")
    r.program("/usr/bin/app", needs=("libcufft.so.11",))


@plant("LD_LIBRARY_PATH overridden by RPATH")
def _(r):
    r.environment["LD_LIBRARY_PATH"] = "/usr/local/cuda/lib64"
    r.toolkit("redundant", "libcudart.so.12.4.127")
    r.wheel("libcudart.so.12", "used")
    r.torch("libcudart.so.12")


@plant("a program without default directories")
def _(r):
    r.lib("/opt/own/libcudart.so.12", "used")
    r.lib(f"{SYSTEM}/libcudart.so.12.4.127", "redundant")
    r.lib("/opt/own/libapp.so", needs=("libcudart.so.12",), runpath="/opt/own", flags=("-Wl,-z,nodefaultlib",))


@plant("a copy that only another redundant copy needs")
def _(r):
    r.lib("/opt/a/libcusolver.so.11", "redundant", needs=("libcublas.so.12",), runpath="/opt/b")
    r.lib("/opt/b/libcublas.so.12", "redundant", needs=("libcublasLt.so.12",), runpath="/opt/c")
    r.lib("/opt/c/libcublasLt.so.12", "redundant")
    r.wheel("libcusolver.so.11", "used", needs=("libcublas.so.12",))
    r.wheel("libcublas.so.12", "used", needs=("libcublasLt.so.12",))
    r.wheel("libcublasLt.so.12", "used")
    r.torch("libcusolver.so.11")


@plant("redundant copies with cyclic needs")
def _(r):
    r.lib("/opt/a/libcublas.so.12", "redundant", needs=("libcublasLt.so.12",), runpath="$ORIGIN")
    r.lib("/opt/a/libcublasLt.so.12", "redundant", needs=("libcublas.so.12",), runpath="$ORIGIN")
    r.wheel("libcublas.so.12", "used", needs=("libcublasLt.so.12",))
    r.wheel("libcublasLt.so.12", "used")
    r.torch("libcublas.so.12")


@plant("a redundant file with two names")
def _(r):
    r.lib("/opt/a/libcudart.so.12", "redundant")
    r.hard("/opt/b/libcudart.so.12", "/opt/a/libcudart.so.12")
    r.wheel("libcudart.so.12", "used")
    r.torch("libcudart.so.12")


@plant("a copy behind a link with an unused name")
def _(r):
    r.lib("/opt/a/libcudart.so.12.4.127", "redundant")
    r.link("/opt/lib", "/opt/a")
    r.link("/opt/b/libcudart.so.12", "/opt/lib/libcudart.so.12.4.127")
    r.wheel("libcudart.so.12", "used")
    r.torch("libcudart.so.12")


@plant("hwcaps and wheels: both levels of the system can go")
def _(r):
    r.lib(f"{SYSTEM}/libcufft.so.11", "redundant")
    r.lib(f"{SYSTEM}/glibc-hwcaps/x86-64-v3/libcufft.so.11", "redundant")
    r.wheel("libcufft.so.11", "used")
    r.torch("libcufft.so.11")


@plant("hwcaps in a directory that is not searched")
def _(r):
    r.lib("/opt/a/glibc-hwcaps/x86-64-v2/libcufft.so.11", "redundant")
    r.lib(f"{SYSTEM}/libcufft.so.11", "used")
    r.program("/usr/bin/app", needs=("libcufft.so.11",))


@plant("ctypes by name: the wheel of the same site, not the system's copy")
def _(r):
    r.wheel("libnvrtc.so.12", "used")
    r.toolkit("redundant", "libnvrtc.so.12.4.127")
    r.torch("libnvrtc.so.12")
    r.python(f"{SITE}/torch/cuda/_utils.py", "nvrtc = ctypes.CDLL('libnvrtc.so.12')\n")


@plant("a name in a program that cannot open libraries")
def _(r):
    r.wheel("libcudart.so.12", "used")
    r.lib("/opt/a/libcudart.so.12", "redundant")
    r.torch("libcudart.so.12")
    r.program("/usr/bin/prints", data="libcudart.so.12")


# --- copies that must stay -------------------------------------------------------------------------

@plant("two sites of wheels, each with torch")
def _(r):
    for site in (SITE, "/opt/venv/lib/python3.11/site-packages"):
        r.wheel("libcudart.so.12", "used", site=site)
        r.torch("libcudart.so.12", site=site)


@plant("hashed copies of two packages")
def _(r):
    for package, digest in (("a", "1a2b3c4d"), ("b", "5e6f7a8b")):
        name = f"libcublas-{digest}.so.12.4.5.8"
        r.lib(f"{SITE}/{package}.libs/{name}", "used", soname=name)
        r.lib(f"{SITE}/{package}/_ext.so", needs=(name,), rpath=f"$ORIGIN/../{package}.libs")


@plant("a hashed copy does not replace the common name")
def _(r):
    r.lib(f"{SITE}/a.libs/libcufft-1a2b3c4d.so.11", "used")
    r.lib(f"{SITE}/a/_ext.so", needs=("libcufft-1a2b3c4d.so.11",), rpath="$ORIGIN/../a.libs")
    r.lib(f"{SYSTEM}/libcufft.so.11", "unreferenced")


@plant("hard links are one file")
def _(r):
    r.lib(f"{CONDA}/lib/libcublas.so.12.4.5.8", "used")
    r.hard(f"{CONDA}/pkgs/libcublas-12.4.5.8-0/lib/libcublas.so.12.4.5.8", f"{CONDA}/lib/libcublas.so.12.4.5.8")
    r.program(f"{CONDA}/bin/app", needs=("libcublas.so.12",), rpath="$ORIGIN/../lib")


@plant("a hard link before the name that is used")
def _(r):
    r.lib("/a/libcublas.so.12", "used")
    r.hard("/usr/lib/z/libcublas.so.12", "/a/libcublas.so.12")
    r.program("/usr/bin/app", needs=("libcublas.so.12",), runpath="/usr/lib/z")


@plant("links of a toolkit are not copies")
def _(r):
    r.toolkit("used", "libcudart.so.12.4.127")
    r.link(f"{TARGET}/libcudart.so", "libcudart.so.12")
    r.link(f"{SYSTEM}/libcudart.so.12", "/usr/local/cuda/lib64/libcudart.so.12")
    r.program("/usr/local/bin/app", needs=("libcudart.so.12",), runpath="/usr/local/cuda/lib64")


@plant("cuDNN and its parts, the only copy")
def _(r):
    r.cudnn(f"{SITE}/nvidia/cudnn/lib", "used")
    r.torch("libcudnn.so.9")


@plant("cuDNN's parts, opened by composed names")
def _(r):
    for directory, right in ((f"{SITE}/nvidia/cudnn/lib", "used"), ("/opt/app/lib", "used")):
        r.lib(f"{directory}/libcudnn.so.9", right, runpath="$ORIGIN")
        for part in CUDNN_PARTS:
            r.lib(f"{directory}/libcudnn_{part}.so.9", right, runpath="$ORIGIN")
    r.torch("libcudnn.so.9")
    r.program("/opt/app/bin/infer", needs=("libcudnn.so.9",), runpath="$ORIGIN/../lib")


@plant("NVRTC and its builtins")
def _(r):
    r.wheel("libnvrtc.so.12", "used")
    r.wheel("libnvrtc-builtins.so.12.4", "used")
    r.toolkit("used", "libnvrtc.so.12.4.127", "libnvrtc-builtins.so.12.4")
    r.torch("libnvrtc.so.12")
    r.program("/usr/local/bin/jit", needs=("libnvrtc.so.12",))


@plant("NVRTC's builtins of another release")
def _(r):
    r.wheel("libnvrtc.so.12", "used")
    r.wheel("libnvrtc-builtins.so.12.4", "used")
    r.lib(f"{SITE}/nvidia/cuda_nvrtc/lib/libnvrtc-builtins.alt.so.12.4", "used", soname="libnvrtc-builtins.so.12.4")
    r.torch("libnvrtc.so.12")


@plant("cuBLAS and cuBLASLt")
def _(r):
    r.wheel("libcublas.so.12", "used", opens=("libcublasLt.so.12",), runpath="$ORIGIN")
    r.wheel("libcublasLt.so.12", "used")
    r.lib("/opt/app/lib/libcublasLt.so.12", "used")
    r.torch("libcublas.so.12")
    r.program("/opt/app/bin/infer", needs=("libcublasLt.so.12",), runpath="$ORIGIN/../lib")


@plant("NCCL's network plug-ins")
def _(r):
    r.wheel("libnccl.so.2", "used", opens=("libnccl-net.so",), runpath="")
    r.lib("/usr/local/lib/libnccl-net.so", "used")
    r.lib("/opt/amazon/ofi-nccl/lib/libnccl-net.so", "unreferenced")
    r.lib("/opt/hpcx/nccl_rdma_sharp_plugin/lib/libnccl-net.so", "unreferenced")
    r.torch("libnccl.so.2")


@plant("NCCL's tuner and profiler plug-ins")
def _(r):
    r.wheel("libnccl.so.2", "used", runpath="")
    for name in ("libnccl-tuner.so", "libnccl-profiler.so"):
        r.lib(f"{SITE}/nvidia/nccl/lib/{name}", "used")
        r.lib(f"/opt/plugins/{name}", "unreferenced")
    r.torch("libnccl.so.2")


@plant("kineto's CUPTI, opened by name")
def _(r):
    r.wheel("libcupti.so.12", "used")
    r.toolkit("used", "libcupti.so.2024.1.1", soname="libcupti.so.12")
    r.torch(opens=("libcupti.so.12",))
    r.program("/usr/local/bin/profiler", needs=("libcupti.so.12",))


@plant("triton's own CUPTI and ptxas, and the wheel's")
def _(r):
    home = f"{SITE}/triton/backends/nvidia"
    r.wheel("libcupti.so.12", "used")
    r.torch("libcupti.so.12")
    r.lib(f"{home}/lib/cupti/libcupti.so", "used", soname="libcupti.so.12")
    r.lib(f"{home}/lib/cupti-blackwell/libcupti.so", "used", soname="libcupti.so.13")
    r.lib(f"{SITE}/triton/_C/libproton.so", opens=("libcupti.so",))
    r.program(f"{home}/bin/ptxas")
    r.program(f"{TOOLKIT}/bin/ptxas")
    r.expected[f"{home}/bin/ptxas"] = r.expected[f"{TOOLKIT}/bin/ptxas"] = "not listed"


@plant("a copy that one program's RUNPATH selects")
def _(r):
    r.lib("/opt/app/lib/libcudart.so.12", "used")
    r.toolkit("used", "libcudart.so.12.4.127")
    r.program("/usr/bin/other", needs=("libcudart.so.12",))
    r.program("/opt/app/bin/app", needs=("libcudart.so.12",), runpath="$ORIGIN/../lib")


@plant("a copy selected by the RPATH of the loading object")
def _(r):
    r.lib("/opt/app/cuda/libcudart.so.12", "used")
    r.toolkit("used", "libcudart.so.12.4.127")
    r.lib("/opt/app/lib/libkernels.so", needs=("libcudart.so.12",))
    r.program("/opt/app/bin/app", needs=("libkernels.so",), rpath="/opt/app/lib:/opt/app/cuda")


@plant("a copy by $LIB in a search path")
def _(r):
    r.lib("/opt/app/lib/x86_64-linux-gnu/libcudart.so.12", "used")
    r.wheel("libcudart.so.12", "used")
    r.torch("libcudart.so.12")
    r.program("/opt/app/bin/app", needs=("libcudart.so.12",), runpath="/opt/app/$LIB")


@plant("a copy needed by path")
def _(r):
    r.lib("/opt/app/libcudart.so.12", "used")
    r.wheel("libcudart.so.12", "used")
    r.torch("libcudart.so.12")
    r.program("/opt/app/app", needs=("/opt/app/libcudart.so.12",))


@plant("a tool of the toolkit that needs its CUPTI")
def _(r):
    r.lib(f"{TOOLKIT}/extras/CUPTI/lib64/libcupti.so.12", "used")
    r.wheel("libcupti.so.12", "used")
    r.torch("libcupti.so.12")
    r.program(f"{TOOLKIT}/bin/nvprof", needs=("libcupti.so.12",), runpath="$ORIGIN/../extras/CUPTI/lib64")


@plant("needs of an unreferenced library must stay")
def _(r):
    r.lib("/opt/old/libcusparse.so.11", "unreferenced", needs=("libcudart.so.12",), runpath="$ORIGIN")
    r.lib("/opt/old/libcudart.so.12", "unreferenced")
    r.wheel("libcudart.so.12", "used")
    r.torch("libcudart.so.12")


@plant("libraries opened by an unreferenced library must stay")
def _(r):
    r.lib("/opt/old/libnccl.so.1", "unreferenced", opens=("libcudart.so.12",), runpath="$ORIGIN")
    r.lib("/opt/old/libcudart.so.12", "unreferenced")
    r.wheel("libcudart.so.12", "used")
    r.torch("libcudart.so.12")


@plant("a copy without a soname")
def _(r):
    r.lib("/opt/a/libcudart.so.12", "unreferenced", soname="")
    r.wheel("libcudart.so.12", "used")
    r.torch("libcudart.so.12")


@plant("a copy with another soname")
def _(r):
    r.toolkit("unreferenced", "libcudart.so.11.8.89", version="11.8")
    r.wheel("libcudart.so.12", "used")
    r.torch("libcudart.so.12")


@plant("a copy for another architecture")
def _(r):
    path = f"{TOOLKIT}/targets/sbsa-linux/lib/libcudart.so.12"
    r.lib(path, "unreferenced")
    with open(r.home + path, "r+b") as elf:
        elf.seek(18)
        elf.write(b"\xb7\0")
    r.wheel("libcudart.so.12", "used")
    r.torch("libcudart.so.12")


@plant("hwcaps: the plain copy is for older CPUs")
def _(r):
    r.lib(f"{SYSTEM}/libcufft.so.11", "used")
    r.lib(f"{SYSTEM}/glibc-hwcaps/x86-64-v2/libcufft.so.11", "used")
    r.program("/usr/bin/app", needs=("libcufft.so.11",))


@plant("hwcaps: the copy of a higher level is for newer CPUs")
def _(r):
    r.lib(f"{SYSTEM}/libcufft.so.11", "used")
    r.lib(f"{SYSTEM}/glibc-hwcaps/x86-64-v4/libcufft.so.11", "used")
    r.program("/usr/bin/app", needs=("libcufft.so.11",))


@plant("LD_LIBRARY_PATH overrides the RUNPATH of a wheel")
def _(r):
    r.environment["LD_LIBRARY_PATH"] = "/usr/local/cuda/lib64"
    r.toolkit("used", "libcublasLt.so.12.4.5.8")
    r.wheel("libcublas.so.12", "used", needs=("libcublasLt.so.12",), runpath="$ORIGIN")
    r.wheel("libcublasLt.so.12", "shadowed")
    r.torch("libcublas.so.12")


@plant("LD_LIBRARY_PATH applies to a wheel's library by itself")
def _(r):
    r.environment["LD_LIBRARY_PATH"] = "/usr/local/cuda/lib64"
    r.toolkit("used", "libcublasLt.so.12.4.5.8")
    r.wheel("libcublas.so.12", "used", needs=("libcublasLt.so.12",), runpath="$ORIGIN")
    r.wheel("libcublasLt.so.12", "used")
    r.torch("libcublasLt.so.12", "libcublas.so.12")


@plant("LD_LIBRARY_PATH overrides the RUNPATH of a program")
def _(r):
    r.environment["LD_LIBRARY_PATH"] = "/opt/other"
    r.lib("/opt/other/libcudart.so.12", "used")
    r.lib("/opt/app/lib/libcudart.so.12", "shadowed")
    r.program("/opt/app/bin/app", needs=("libcudart.so.12",), runpath="$ORIGIN/../lib")


@plant("LD_PRELOAD in the environment")
def _(r):
    r.environment["LD_PRELOAD"] = "/opt/fast/libcudart.so.12"
    r.lib("/opt/fast/libcudart.so.12", "used")
    r.wheel("libcudart.so.12", "shadowed")
    r.torch("libcudart.so.12")


@plant("/etc/ld.so.preload")
def _(r):
    r.lib("/opt/fast/libcudart.so.12", "used")
    r.text("/etc/ld.so.preload", "/opt/fast/libcudart.so.12\n")
    r.wheel("libcudart.so.12", "shadowed")
    r.torch("libcudart.so.12")


# --- copies that must stay: names used at run time -------------------------------------------------

def used_by_wheel_and(r, name, place=SYSTEM):
    """A wheel that torch uses, and a system copy that only the plant's program uses."""
    r.wheel(name, "used")
    r.torch(name)
    r.lib(f"{place}/{name}", "used")


@plant("a name that a program opens")
def _(r):
    used_by_wheel_and(r, "libnvrtc.so.12")
    r.program("/usr/bin/jit", opens=("libnvrtc.so.12",))


@plant("a path that a program opens")
def _(r):
    used_by_wheel_and(r, "libcupti.so.12", "/opt/tools")
    r.program("/usr/bin/trace", opens=("/opt/tools/libcupti.so.12",))


@plant("a development name that a program opens")
def _(r):
    used_by_wheel_and(r, "libnvrtc.so.12")
    r.link(f"{SYSTEM}/libnvrtc.so", "libnvrtc.so.12")
    r.program("/usr/bin/jit", opens=("libnvrtc.so",))


@plant("a name that a program opens with its own RUNPATH")
def _(r):
    used_by_wheel_and(r, "libnvrtc.so.12", "/opt/jit/lib")
    r.program("/opt/jit/bin/jit", opens=("libnvrtc.so.12",), runpath="$ORIGIN/../lib")


@plant("a name passed to dlmopen")
def _(r):
    used_by_wheel_and(r, "libcudart.so.12")
    r.program("/usr/bin/app", opens=("libcudart.so.12",), hand="dlmopen")


@plant("a name in a library that passes it to a helper")
def _(r):
    used_by_wheel_and(r, "libnvrtc.so.12")
    r.lib("/usr/lib/libloads.so", opens=("nothing",))
    r.program("/usr/bin/jit", data="libnvrtc.so.12", needs=("libloads.so",))


@plant("a name composed with a version")
def _(r):
    used_by_wheel_and(r, "libnvrtc.so.12")
    r.program("/usr/bin/jit", opens=("libnvrtc.so.%d",))


@plant("names without a final NUL, as in Rust and Go")
def _(r):
    used_by_wheel_and(r, "libcublas.so.12")
    r.program("/usr/bin/model", opens=("libcudaxx",), data="cudart not foundlibcublas.so.12libcurand.so.10called `unwrap`")


@plant("a Python source that opens a path")
def _(r):
    used_by_wheel_and(r, "libcudart.so.12", "/opt/app/lib")
    r.python("/opt/app/main.py", "runtime = ctypes.CDLL('/opt/app/lib/libcudart.so.12')\n")


@plant("a Python source that opens a file next to it")
def _(r):
    used_by_wheel_and(r, "libcudart.so.12", f"{SITE}/tool/lib")
    r.python(f"{SITE}/tool/__init__.py", "ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'lib', 'libcudart.so.12'))\n")


@plant("a Python source outside of site-packages that opens a name")
def _(r):
    used_by_wheel_and(r, "libcudart.so.12")
    r.python("/app/main.py", "ctypes.CDLL('libcudart.so.12')\n")


@plant("a Python program without .py")
def _(r):
    used_by_wheel_and(r, "libcudart.so.12")
    r.text("/usr/local/bin/tool", "#!/usr/bin/env python3\nimport ctypes\nctypes.CDLL('libcudart.so.12')\n")
    os.chmod(r.home + "/usr/local/bin/tool", 0o755)


@plant("a compiled Python module without its source")
def _(r):
    used_by_wheel_and(r, "libcudart.so.12")
    r.python("/app/main.py", "ctypes.CDLL('libcudart.so.12')\n")
    py_compile.compile(f"{r.home}/app/main.py", cfile=f"{r.home}/app/main.pyc")
    os.unlink(f"{r.home}/app/main.py")


@plant("ctypes.cdll.LoadLibrary")
def _(r):
    used_by_wheel_and(r, "libcudart.so.12")
    r.python("/app/main.py", "ctypes.cdll.LoadLibrary('libcudart.so.12')\n")


@plant("ctypes.util.find_library")
def _(r):
    used_by_wheel_and(r, "libcudart.so.12")
    r.python("/app/main.py", "import ctypes.util\nctypes.CDLL(ctypes.util.find_library('cudart'))\n")


@plant("cffi's dlopen")
def _(r):
    used_by_wheel_and(r, "libcudart.so.12")
    r.text("/app/main.py", "from cffi import FFI\nFFI().dlopen('libcudart.so.12')\n")


@plant("a name composed in Python")
def _(r):
    used_by_wheel_and(r, "libcudart.so.12")
    r.python("/app/main.py", "for name in ('cudart',):\n    ctypes.CDLL(f'lib{name}.so.12')\n")


@plant("onnxruntime's list of wheels to preload")
def _(r):
    r.toolkit("used", "libcufft.so.11.2.1.3")
    r.program("/usr/bin/app", needs=("libcufft.so.11",))
    r.wheel("libcufft.so.11", "used")
    r.python(f"{SITE}/onnxruntime/__init__.py", """
        for path in [("nvidia", "cufft", "lib", "libcufft.so.11")]:
            ctypes.CDLL(os.path.join(os.path.dirname(os.path.dirname(__file__)), *path))
    """)


@plant("JAX's preload of wheels")
def _(r):
    for name in ("libcusparse.so.12", "libcupti.so.12"):
        r.lib(f"{SYSTEM}/{name}", "used")
        r.wheel(name, "used")
    r.program("/usr/bin/app", needs=("libcusparse.so.12", "libcupti.so.12"))
    r.python(f"{SITE}/jax_plugins/xla_cuda12/__init__.py", """
        import importlib, pathlib
        def _load(module, libraries):
            m = importlib.import_module(f"nvidia.{module}")
            for lib in libraries:
                path = pathlib.Path(m.__path__[0]) / "lib" / lib
                ctypes.cdll.LoadLibrary(path)
        _load("cusparse", ["libcusparse.so.12"])
        _load("cuda_cupti", ["libcupti.so.12"])
    """)


@plant("cuda.pathfinder for CuPy, with names in a loop")
def _(r):
    r.toolkit("used", "libcufft.so.11.2.1.3")
    r.program("/usr/bin/app", needs=("libcufft.so.11",))
    r.wheel("libcufft.so.11", "used")
    r.python(f"{SITE}/cuda/pathfinder/_dynamic_libs/load_dl_linux.py", "ctypes.CDLL('libcufft.so.11')\n")
    r.text(f"{SITE}/cupy/_environment.py", """
        from cuda import pathfinder
        def _preload_library(lib):
            pathfinder.load_nvidia_dynamic_lib(lib)
    """)
    r.text(f"{SITE}/cupy/cuda/__init__.py", "from cupy import _environment\n_environment._preload_library('cufft')\n")


@plant("cuda.pathfinder for a Python source")
def _(r):
    r.toolkit("used", "libnvrtc.so.12.4.127")
    r.program("/usr/bin/app", needs=("libnvrtc.so.12",))
    r.wheel("libnvrtc.so.12", "used")
    r.python(f"{SITE}/cuda/pathfinder/_dynamic_libs/load_dl_linux.py", "ctypes.CDLL('libnvrtc.so.12')\n")
    r.text(f"{SITE}/app/__init__.py", "from cuda.pathfinder import load_nvidia_dynamic_lib\nload_nvidia_dynamic_lib('nvrtc')\n")


@plant("cuda.pathfinder for cuda.bindings, with compressed strings")
def _(r):
    r.toolkit("used", "libnvrtc.so.12.4.127")
    r.program("/usr/bin/app", needs=("libnvrtc.so.12",))
    r.wheel("libnvrtc.so.12", "used")
    r.python(f"{SITE}/cuda/pathfinder/_dynamic_libs/load_dl_linux.py", "ctypes.CDLL('libnvrtc.so.12')\n")
    r.lib(f"{SITE}/cuda/bindings/_internal/nvrtc.cpython-311-x86_64-linux-gnu.so",
          data="cuda.bindings._internal.nvrtc.load_library")


# --- stubs and the driver --------------------------------------------------------------------------

# A toolkit that another program uses, so that every other copy has a replacement.
def replaced(r, name="libcublas.so.12.4.5.8"):
    r.toolkit("used", name)
    r.program("/usr/local/bin/other", needs=(re.match(r".*\.so\.\d+", name)[0],))


@plant("a library that opens a copy by the RPATH of its program")
def _(r):
    replaced(r)
    r.lib("/opt/app/lib/libcublas.so.12", "used")
    r.lib("/opt/app/lib/libengine.so.1", opens=("libcublas.so.12",))
    r.program("/opt/app/bin/app", needs=("libengine.so.1",), rpath="$ORIGIN/../lib")


@plant("a program that opens a copy in its own directory by a composed path")
def _(r):
    replaced(r)
    r.lib("/opt/app/libcublas.so.12", "unreferenced")
    r.program("/opt/app/engine", opens=("libcublas.so.12",))


@plant("a name in a source that loads nothing, beside one that loads")
def _(r):
    replaced(r)
    r.lib(f"{SITE}/pkg/lib/libcublas.so.12", "unreferenced")
    r.text(f"{SITE}/pkg/_names.py", "CUBLAS = 'libcublas.so.12'\n")
    r.python(f"{SITE}/pkg/_load.py", "load = lambda name: ctypes.CDLL(os.path.join(HERE, 'lib', name))\n")


@plant("a library that composes names for its own directory")
def _(r):
    replaced(r)
    r.lib("/opt/app/lib/libcublas.so.12", "unreferenced")
    r.lib("/opt/app/lib/libengine.so.1", opens=("composed",), runpath="$ORIGIN")


@plant("stubs for linking")
def _(r):
    r.toolkit("used", "libcublas.so.12.4.5.8")
    r.lib(f"{TARGET}/stubs/libcublas.so", "stub", soname="libcublas.so.12")
    r.lib(f"{TARGET}/stubs/libcuda.so", "stub", soname="libcuda.so.1")
    r.lib(f"{TARGET}/stubs/libnvidia-ml.so", "stub", soname="libnvidia-ml.so.1")
    r.program("/usr/bin/app", needs=("libcublas.so.12", "libcuda.so.1"))


@plant("a driver mounted by the container runtime")
def _(r):
    path = f"{SYSTEM}/libcuda.so.550.54.14"
    r.lib(path, "injected", soname="libcuda.so.1")
    r.mounts.append(path)
    r.program("/usr/bin/app", needs=("libcuda.so.1",))


@plant("the compat driver and a mounted driver")
def _(r):
    path = f"{SYSTEM}/libcuda.so.550.54.14"
    r.lib(path, "injected", soname="libcuda.so.1")
    r.mounts.append(path)
    r.lib(f"{TOOLKIT}/compat/libcuda.so.565.57.01", "unreferenced", soname="libcuda.so.1")
    r.program("/usr/bin/app", needs=("libcuda.so.1",))


@plant("the compat driver and a driver in the image")
def _(r):
    r.lib(f"{SYSTEM}/libcuda.so.550.54.14", "used", soname="libcuda.so.1")
    r.lib(f"{TOOLKIT}/compat/libcuda.so.565.57.01", "unreferenced", soname="libcuda.so.1")
    r.program("/usr/bin/app", needs=("libcuda.so.1",))


# --- comparing -------------------------------------------------------------------------------------

def make_base(home):
    """A merged /usr with this machine's loader and C library."""
    os.makedirs(f"{home}{SYSTEM}")
    os.makedirs(f"{home}/usr/lib64")
    os.makedirs(f"{home}/usr/bin")
    for name in ("lib", "lib64", "bin"):
        os.symlink(f"usr/{name}", f"{home}/{name}")
    for name in ("libc.so.6", "ld-linux-x86-64.so.2"):
        shutil.copy(f"/lib/x86_64-linux-gnu/{name}", f"{home}{SYSTEM}/{name}")
    os.symlink(f"{SYSTEM}/ld-linux-x86-64.so.2", f"{home}/usr/lib64/ld-linux-x86-64.so.2")


def verdicts(binary, root):
    """The reported verdict of each copy. With mounts, cudacheck runs inside, as in a container."""
    options = ["--format", "json", *(f"--env={name}={value}" for name, value in root.environment.items())]
    if root.mounts:
        inside = "".join(f"mount --bind {shlex.quote(root.home + path)}{{,}}; " for path in root.mounts)
        os.makedirs(f"{root.home}/proc", exist_ok=True)
        shutil.copy(binary, f"{root.home}/usr/bin/cudacheck")
        home = shlex.quote(root.home)
        script = f"mount -t proc proc {home}/proc; {inside} exec chroot {home} /usr/bin/cudacheck image / {shlex.join(options)}"
        command = ["unshare", "--mount", "--pid", "--fork", "bash", "-ec", script]
    else:
        command = [binary, "image", root.home, *options]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    run = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if run.returncode not in (0, 1):
        sys.exit(f"{shlex.join(command)}: status {run.returncode}\n{run.stderr}")
    return {copy["path"]: copy["verdict"] for library in json.loads(run.stdout)["libraries"] for copy in library["copies"]}


def misread(binary, root):
    """Differences between cudacheck's emulation and the root's loader."""
    truth = loader.trace(root.home, loader.dynamic_objects(root.home), root.environment)
    said = loader.asked(binary, root.home, root.environment)
    return [f"{path}: {name}: {why}" for path, name, why in loader.differences(truth, said)]


def claim(root):
    """What is wrong with the plant itself: deleting the redundant copies changes what the root's loader resolves."""
    gone = {path for path, verdict in root.expected.items() if verdict == "redundant"}
    identities = {os.lstat(root.home + path).st_ino for path in gone}
    objects = [path for path in loader.dynamic_objects(root.home) if os.lstat(root.home + path).st_ino not in identities]
    before = loader.trace(root.home, objects, root.environment)
    for path in list(loader.regular_files(root.home)):
        if os.lstat(root.home + path).st_ino in identities:
            os.unlink(root.home + path)
    after = loader.trace(root.home, objects, root.environment)
    return [f"{path}: {before[path]} becomes {after[path]}" for path in objects if before[path] != after[path]]


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    loader.private_mounts()
    binary, word = os.path.abspath(sys.argv[1]), (sys.argv[2:] or [""])[0]
    chosen = [(title, make) for title, make in PLANTS if word in title]
    table, failed = collections.Counter(), 0
    with tempfile.TemporaryDirectory(prefix="cudacheck-") as home:
        os.mkdir(f"{home}/built")
        toolchain = Toolchain(f"{home}/built")
        make_base(f"{home}/base")
        for number, (title, make) in enumerate(chosen):
            root = Root(f"{home}/{number}", toolchain, f"{home}/base")
            make(root)
            root.finish()
            said = verdicts(binary, root)
            wrong = [f"the loader: {line}" for line in misread(binary, root)]
            wrong += [f"the plant itself: {line}" for line in claim(root)]
            failed += judge(title, root.expected, said, wrong, table)
            shutil.rmtree(root.home)
    show(table)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def judge(title, expected, said, wrong, table):
    """Prints what is wrong with a plant; true if it is a failure."""
    missed, dangerous, other = [], [], []
    for path, right in expected.items():
        seen = said.get(path, "not listed")
        table[right, seen] += 1
        line = f"    {path}: {seen} instead of {right}"
        if right == "redundant" != seen:
            missed.append(line)
        elif seen == "redundant" != right:
            dangerous.append(line)
        elif seen != right:
            other.append(line)
    failed = bool(missed or dangerous or wrong)
    words = ["FAIL" if failed else "ok", title]
    words += ["(must stay)"] if dangerous else ["(missed)"] if missed else ["(another verdict)"] if other else []
    print(" ".join(words))
    for line in [f"    {line}" for line in wrong] + dangerous + missed + other:
        print(line)
    return failed


def show(table):
    """Prints right verdicts as rows and reported verdicts as columns."""
    rows = sorted({right for right, _ in table})
    columns = sorted({seen for _, seen in table})
    print("\n" + "right \\ reported".ljust(17) + "".join(name.rjust(14) for name in columns))
    for right in rows:
        print(right.ljust(17) + "".join(str(table[right, seen] or ".").rjust(14) for seen in columns))
    print()


if __name__ == "__main__":
    main()
