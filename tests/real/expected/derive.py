#!/usr/bin/env python3
"""Derives the expected libraries of the real trees; see README.md in this directory.

Each tree's own ld.so, run in a chroot, resolves library names: this program does not implement any search rule. The
trees are only read. Needs root and pyelftools (PyPI).

    derive.py [TREE...]    parts: $CUDACHECK_PARTS, default ~/.cache/cudacheck
"""
import csv, email.parser, glob, json, mmap, os, re, subprocess, sys
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from elftools.elf.elffile import ELFFile
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

PARTS = Path(os.environ.get("CUDACHECK_PARTS", Path.home() / ".cache/cudacheck"))
LIBRARIES = {  # in the order of the tables; regular expressions for the part before ".so"
    "libcuda": "libcuda", "libnvidia-ml": "libnvidia-ml", "libcudart": "libcudart", "libcublas": "libcublas|libnvblas",
    "libcublasLt": "libcublasLt", "libcufft": "libcufftw?", "libcurand": "libcurand", "libcusparse": "libcusparse",
    "libcusolver": "libcusolver(Mg)?", "libcupti": "libcupti|libnvperf_host|libnvperf_target|libpcsamplingutil|libcheckpoint",
    "libcudnn": "libcudnn(_[a-z_]+)?", "libnccl": "libnccl(-[a-z-]+)?", "libnvJitLink": "libnvJitLink",
    "libnvrtc": "libnvrtc(-builtins)?(\\.alt)?",
}
RARE = {  # only in the table of a tree that has or needs them
    "libcusparseLt": "libcusparseLt", "libcutensor": "libcutensor(M[gp])?", "libcudss": "libcudss(_[a-z_]+)?",
    "libnvshmem": "libnvshmem_host|nvshmem_[a-z0-9_]+", "libcufile": "libcufile(_rdma)?", "libnvjpeg": "libnvjpeg",
    "libnpp": "libnpp[a-z]+", "libnvfatbin": "libnvfatbin", "libnvvm": "libnvvm", "libnvToolsExt": "libnvToolsExt",
    "libnvtx3interop": "libnvtx3interop", "libnvcomp": "libnvcomp(_[a-z]+)?", "libnvimgcodec": "libnvimgcodec",
    "libnvjpeg2k": "libnvjpeg2k", "libnvtiff": "libnvtiff", "libnvinfer": "libnv(infer|onnxparser)(_[a-z0-9_]+)?",
    "libcustatevec": "libcustatevec", "libcutensornet": "libcutensornet", "libcudensitymat": "libcudensitymat",
    "libcupauliprop": "libcupauliprop", "libcustabilizer": "libcustabilizer", "libcublasmp": "libcublasmp",
    "libcusolverMp": "libcusolverMp", "libcufftMp": "libcufftMp",
}
FILE_NAME = {name: re.compile(rf"(?:{stem})(?:-[0-9a-f]{{8}})?\.so(?P<version>(?:\.\d+)*)")
             for name, stem in (LIBRARIES | RARE).items()}
INJECTED = {"libcuda", "libnvidia-ml"}  # provided by the container runtime
DRIVER_SONAMES = ["libcuda.so.1", "libnvidia-ml.so.1"]
HOW = ["needed", "dlopen", "python", "convention", "required"]  # a user is listed with the first that applies
LOADER = "/lib64/ld-linux-x86-64.so.2"


def library_of(name):
    return next((n for n, pattern in FILE_NAME.items() if pattern.fullmatch(name)), None)


class Elf:
    """The relevant facts of an ELF file."""

    def __init__(self, root, path):
        self.file, self.name = root + path, os.path.basename(path)
        with open(self.file, "rb") as f:
            elf = ELFFile(f)
            tags = [t for segment in elf.iter_segments("PT_DYNAMIC") for t in segment.iter_tags()]
            self.needed = [t.needed for t in tags if t.entry.d_tag == "DT_NEEDED"]
            self.soname = next((t.soname for t in tags if t.entry.d_tag == "DT_SONAME"), None)
            symbols = elf.get_section_by_name(".dynsym")
            self.imports_dlopen = bool(symbols) and any(
                s["st_shndx"] == "SHN_UNDEF" and s.name in ("dlopen", "dlmopen") for s in symbols.iter_symbols())
            self.read_only = [  # allocated (2), neither writable (1) nor executable (4)
                (s["sh_offset"], s["sh_offset"] + s["sh_size"]) for s in elf.iter_sections()
                if s["sh_type"] == "SHT_PROGBITS" and s["sh_flags"] & 7 == 2]

    def strings(self, names):
        """Those of `names` that are a whole C string. Up to three printable bytes before a name may belong to
        the constant before it (libcufftw: the double 1.0 ends in '?'); four bytes make it the end of a longer
        text, and a slash the end of a path."""
        rest = b"|".join(re.escape(n[3:].encode()) for n in names if n.startswith("lib"))
        pattern = re.compile(rb"lib(?<![\x20-\x7e]{4}lib)(?<!/lib)(?:" + rest + rb")\0")
        with open(self.file, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return {m[0][:-1].decode() for part in self.read_only for m in pattern.finditer(data, *part)}


class Tree:
    def __init__(self, name):
        self.name, self.root = name, str(PARTS / name)
        self.elfs, self.files, self.links, inodes = {}, [], [], set()
        for directory, folders, files in os.walk(self.root):
            folders.sort()
            for file in sorted(files):
                full = os.path.join(directory, file)
                if os.path.islink(full):
                    self.links.append(full[len(self.root):])
                if os.path.islink(full) or not os.path.isfile(full):
                    continue
                path, stat = full[len(self.root):], os.stat(full)
                self.files.append(path)
                with open(full, "rb") as f:
                    is_elf = f.read(4) == b"\x7fELF"
                if is_elf and (stat.st_dev, stat.st_ino) not in inodes:
                    inodes.add((stat.st_dev, stat.st_ino))
                    self.elfs[path] = Elf(self.root, path)
        self.site = os.path.dirname(next(p for p in self.files if p.endswith("/torch/version.py")))[:-len("torch")]
        self.owners = self.read_owners()

    def read_owners(self):
        """path -> (kind, name, version)"""
        owners, versions = {}, {}
        for stanza in self.text("/var/lib/dpkg/status").split("\n\n"):
            field = dict(re.findall(r"^(Package|Version): (.*)$", stanza, re.M))
            versions[field.get("Package")] = field.get("Version")
        for list_file in glob.glob(self.root + "/var/lib/dpkg/info/*.list"):
            package = Path(list_file).stem.split(":")[0]
            for path in Path(list_file).read_text().splitlines():
                path = re.sub(r"^/(bin|sbin|lib|lib64)/", r"/usr/\1/", path)  # usrmerge
                owners[path] = ("dpkg", package, versions[package])
        for record in (p for p in self.files if p.endswith(".dist-info/RECORD")):
            info = os.path.dirname(record)
            field = dict(re.findall(r"^(Name|Version): (.*)$", self.text(info + "/METADATA"), re.M))
            for row in csv.reader(self.text(record).splitlines()):
                owners[os.path.normpath(os.path.join(os.path.dirname(info), row[0]))] = (
                    "wheel", field["Name"], field["Version"])
        return owners

    def text(self, path):
        return Path(self.root + path).read_text(encoding="utf-8", errors="replace")

    def run(self, *command, **env):
        return subprocess.run(command, env=env, capture_output=True, text=True,
                              preexec_fn=lambda: (os.chroot(self.root), os.chdir("/")))

    @lru_cache(None)
    def real(self, path):
        return self.run("/usr/bin/realpath", path).stdout.strip()

    @lru_cache(None)
    def closure(self, path, preload=None):
        """name -> file or None, as the loader resolves `path` with an empty environment.

        LD_TRACE_LOADED_OBJECTS (what ldd sets), since --list stops at the first missing library.
        A preloaded name is searched for with `path` as the requester, exactly as for a dlopen from `path`."""
        options = ["--preload", preload] if preload else []
        result = self.run(LOADER, *options, path, LD_TRACE_LOADED_OBJECTS="1")
        found = {}
        for name, target in re.findall(r"^\t(\S+) => (.+?)(?: \(0x[0-9a-f]+\))?$", result.stdout, re.M):
            found[name] = None if target == "not found" else self.real(target)
        assert found or "ld-linux" in result.stdout, (self.name, path, result.stderr)
        return found


class Census:
    def __init__(self, tree):
        self.tree = tree
        self.copies = {p: n for p, e in tree.elfs.items() if (n := library_of(e.name))}
        links = (l for l in tree.links if library_of(os.path.basename(l)) and tree.real(l) in self.copies)
        self.names = frozenset(x for p in self.copies for x in (tree.elfs[p].soname, tree.elfs[p].name) if x)
        self.names |= {os.path.basename(link) for link in links} | set(DRIVER_SONAMES)
        self.wished = set()  # driver libraries that something opens at run time
        self.users = defaultdict(dict)  # copy -> {user: how}
        self.resolved = defaultdict(set)  # (object, name) -> whether found, over all closures it is in
        self.in_torch = {}  # what the loader has mapped after importing torch, by soname
        for start in glob.glob(tree.root + tree.site + "torch/_C.*.so") + [
                tree.root + tree.site + "torch/lib/libtorch_global_deps.so"]:
            self.in_torch |= tree.closure(start[len(tree.root):])
        self.python()
        done, todo = set(), set(tree.elfs) - set(self.copies)
        while todo:  # the roots, then the copies that they use, and so on
            for path in sorted(todo):
                self.needed(path)
                self.dlopened(path)
                self.convention(path)
            done |= todo
            todo = set(self.users) - done
        self.require()
        self.held = self.hold()

    def require(self):
        """Copies without a user that the metadata of an installed package requires: the library after which the required
        package is named. A package without files stands for those that it requires itself, with the extras asked for."""
        tree, installed = self.tree, {}
        for path in tree.files:
            if path.startswith(tree.site) and path.endswith(".dist-info/METADATA"):
                fields = email.parser.HeaderParser().parsestr(tree.text(path))
                rows = csv.reader(tree.text(os.path.dirname(path) + "/RECORD").splitlines())
                files = [tree.site + row[0] for row in rows if ".dist-info/" not in row[0]]
                requires = [Requirement(line) for line in fields.get_all("Requires-Dist", [])]
                installed[canonicalize_name(fields["Name"])] = path, files, requires
        unused = {path for path in self.copies if not self.users.get(path)}
        for metadata, files, requires in installed.values():
            for requirement in requires if files else ():
                _, required, inner = installed.get(canonicalize_name(requirement.name), ("", [], []))
                if not required:
                    asked = [r for r in inner if not r.marker or any(f"extra == \"{e}\"" in str(r.marker) for e in requirement.extras)]
                    required = [f for r in asked for f in installed.get(canonicalize_name(r.name), ("", [], []))[1]]
                for file in set(required) & unused if requirement.name.startswith(("nvidia-", "cuda-")) else ():
                    if os.path.basename(file).split(".so")[0] == self.copies[file]:
                        self.use(file, metadata, "required")

    def hold(self):
        """Unused copies that no used copy replaces are kept, and so is what they need."""
        held, stubs = set(), {p for p in self.copies if "/stubs/" in p}
        while True:
            more = set()
            for path in set(self.copies) - set(self.users) - stubs:
                soname = self.tree.elfs[path].soname
                replaced = soname and any(self.tree.elfs[p].soname == soname for p in self.users)
                if path in held or not replaced:
                    needs = self.tree.closure(path).values() if self.tree.elfs[path].needed else ()
                    more |= {path, *(p for p in needs if p in self.copies), *(c for c, _ in self.parts(path))}
            more -= set(self.users)
            if more == held:
                return held
            held = more

    def use(self, copy, user, how):
        if copy in self.copies and copy != user:
            self.users[copy][user] = min(how, self.users[copy].get(user, how), key=HOW.index)

    def needed(self, path):
        if not self.tree.elfs[path].needed:
            return
        closure = self.tree.closure(path)
        by_soname = {self.tree.elfs[f].soname: f for f in closure.values() if f in self.tree.elfs}
        for member in {path, *filter(None, closure.values())} & set(self.tree.elfs):
            for name in self.tree.elfs[member].needed:
                target = closure.get(name) or by_soname.get(name)
                self.resolved[member, name].add(target is not None)
                self.use(target, member, "needed")

    def dlopened(self, path):
        elf = self.tree.elfs[path]
        for name in sorted(elf.strings(self.names)) if elf.imports_dlopen else ():
            loaded = self.in_torch.get(name) if path.startswith(self.tree.site) else None
            self.wished |= {library_of(name)} & INJECTED
            self.use(loaded or self.tree.closure(path, name).get(name), path, "dlopen")

    def convention(self, path):
        for copy, how in self.parts(path):
            self.use(copy, path, how)

    def parts(self, path):
        folder, name = os.path.split(path)
        families = [  # loader, where, what
            (r"libcudnn\.so\.\d+", folder, r"libcudnn_\w+\.so\.\d+"),
            (r"libnvrtc\.so(\.\d+)*", folder, r"libnvrtc-builtins\.so(\.\d+)*"),
            (r"libnccl\.so(\.\d+)*", folder, r"libnccl-[\w-]+\.so(\.\d+)*"),
            (r"libcupti\.so(\.\d+)*", folder, r"libnvperf_\w+\.so(\.\d+)*"),
            (r"libcufile\.so(\.\d+)*", folder, r"libcufile_rdma\.so(\.\d+)*"),
            (r"libcudss\.so(\.\d+)*", folder, r"libcudss_\w+\.so(\.\d+)*"),
            (r"libnvshmem_host\.so(\.\d+)*", folder, r"nvshmem_\w+\.so(\.\d+)*"),
            # $TRITON_CUPTI_LIB_PATH is set to the one or the other folder by triton/profiler/profile.py.
            (r"libproton\.so", self.tree.site + r"triton/backends/nvidia/lib/cupti(-blackwell)?", r"libcupti\.so"),
        ]
        for loader, where, what in families:
            for copy in self.copies if re.fullmatch(loader, name) else ():
                if re.fullmatch(where, os.path.dirname(copy)) and re.fullmatch(what, os.path.basename(copy)):
                    yield copy, "convention"

    def python(self):
        tree, ctypes = self.tree, next(p for p in self.tree.elfs if "/_ctypes.cpython" in p)

        def by_name(user, name):  # ctypes.CDLL(name) is a dlopen by _ctypes
            self.use(self.in_torch.get(name) or tree.closure(ctypes, name).get(name), user, "python")

        for path in tree.files:
            # cuda.pathfinder searches on behalf of others and is not a user.
            if path.endswith(".py") and "/cuda/pathfinder/" not in path and "CDLL" in (text := tree.text(path)):
                for name in set(re.findall(r"""["'](lib[\w.-]+)["']""", text)) & self.names:
                    by_name(path, name)
        # From reading the source: CDLL(f"libnvrtc.so.{major_version}"), the major version of torch.version.cuda.
        utils = tree.site + "torch/cuda/_utils.py"
        if utils in tree.files and 'f"libnvrtc.so.{major_version}"' in tree.text(utils):
            by_name(utils, "libnvrtc.so.13")
        # torch.__init__ has folders and patterns, for nvidia/FOLDER/lib and nvidia/cu13/lib.
        init = tree.site + "torch/__init__.py"
        for folder, pattern in re.findall(r'"(\w+)"[:,] "(lib[\w-]+\.so\.\*\[0-9\])"', tree.text(init)):
            for place in (f"nvidia/{folder}/lib", "nvidia/cu13/lib"):
                for file in glob.glob(tree.root + tree.site + place + "/" + pattern):
                    self.use(file[len(tree.root):], init, "python")

    def describe(self, path):
        kind, owner, owner_version = self.tree.owners.get(path, (None, None, None))
        by_nvidia = kind == "wheel" and owner.startswith("nvidia-")
        origin = ("stub" if "/stubs/" in path else "wheel" if by_nvidia else "vendored" if kind == "wheel" else
                  "package" if kind else "toolkit" if path.startswith("/usr/local/cuda") else "other")
        library = library_of(os.path.basename(path))
        in_name = library and FILE_NAME[library].fullmatch(os.path.basename(path))["version"].lstrip(".")
        if kind == "wheel" and not by_nvidia:
            in_name = in_name if "." in (in_name or "") else None
        return {"path": path, "soname": None,
                "version": owner_version if by_nvidia else in_name or (None if library and kind == "wheel" else owner_version),
                "bytes": os.path.getsize(self.tree.root + path), "origin": origin,
                "package": f"{owner} {owner_version}" if kind == "wheel" else owner}

    def copy(self, path):
        same = {p for p in self.copies if p != path and self.tree.elfs[p].soname == self.tree.elfs[path].soname}
        entry = self.describe(path) | {"soname": self.tree.elfs[path].soname}
        used_by = sorted(self.users.get(path, {}).items(), key=lambda user: (user[1] != "needed", user[0]))
        verdict = ("stub" if entry["origin"] == "stub" else "used" if used_by else
                   "unreferenced" if path in self.held else
                   "redundant" if any(p in self.users for p in same) else "unreferenced")
        return entry | {"verdict": verdict, "used_by": [{"path": p, "how": h} for p, h in used_by]}

    def library(self, name):
        copies = [self.copy(p) for p in sorted(self.copies) if self.copies[p] == name]
        verdicts = {c["verdict"] for c in copies}
        missing = any(seen == {False} and library_of(needed) == name for (_, needed), seen in self.resolved.items())
        missing = missing or (name in self.wished and not copies)
        status = (("injected" if name in INJECTED else "missing") if missing else
                  "redundant" if "redundant" in verdicts else
                  "present" if verdicts & {"used", "unreferenced"} else "not needed")
        return {"name": name, "status": status, "copies": copies}

    def tools(self):
        tree, found = self.tree, {"nvcc": [], "headers": [], "nsight": []}
        for path in tree.files:
            folder, file = os.path.split(path)
            if file == "nvcc" and folder.endswith("/bin") and os.access(tree.root + path, os.X_OK):
                found["nvcc"].append(self.describe(path))
            elif re.fullmatch(r"nsys(-ui)?|ncu(-ui)?|nsight-(sys|systems|compute)", file):
                found["nsight"].append(self.describe(path))
            # Not every cuda.h is CUDA's: torch has some, and the kernel headers one (for Macs).
            elif file == "cuda_runtime.h" or file == "cuda.h" and "#define CUDA_VERSION" in tree.text(path):
                if folder not in [e["path"] for e in found["headers"]]:
                    found["headers"].append(self.describe(path) | {"path": folder, "bytes": None})
        return [{"name": n, "status": "present" if f else "not needed",
                 "copies": [e | {"verdict": "present", "used_by": []} for e in sorted(f, key=lambda e: e["path"])]}
                for n, f in found.items()]


for tree_name in sys.argv[1:] or ["torch12", "torch13", "toolkit11"]:
    census = Census(Tree(tree_name))
    rare = [entry for entry in map(census.library, RARE) if entry["status"] != "not needed"]
    table = {"tree": tree_name, "libraries": [census.library(n) for n in LIBRARIES] + rare + census.tools()}
    Path(__file__).with_name(tree_name + ".json").write_text(json.dumps(table, indent=2) + "\n")
