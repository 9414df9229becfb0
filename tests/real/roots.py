#!/usr/bin/env python3
"""Tests files with several names: uv's and conda's caches, whose files are linked into the installation.

    roots.py BINARY [WORD]        with WORD only the roots with this word in their name, and those they are compared to

uv installs CuPy and NVIDIA's wheels into the part `debian`, in a chroot: as copies, hard links and symbolic links into
its cache, and into virtual environments. A conda prefix is built from the same libraries in the same three ways, with a
stray copy of one of them, which has two names. For each of these roots:

- cudacheck resolves every object as the root's own ld.so does, the names in caches included;
- what is missing, the verdicts, users and device code are those of the root of copies without a cache, by file name;
- each inode is counted once, and `hard_links` has exactly the other names of a copy's inode;
- what is offered for deletion frees what is claimed, measured by inode, alone and together. If it is called proven,
  ld.so resolves what is left as before, and no link of the installation leads nowhere.

Needs root, gcc, uv, 5 GB for a while, and the part `debian` of tests/real/parts.sh.
"""

import collections
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import loader

STACK = [
    "cupy-cuda12x==14.2.0", "numpy==2.4.6", "cuda-pathfinder==1.9.1", "nvidia-cublas-cu12==12.4.5.8",
    "nvidia-cusolver-cu12==11.6.1.9", "nvidia-cusparse-cu12==12.3.1.170", "nvidia-nvjitlink-cu12==12.4.127",
    "nvidia-cuda-runtime-cu12==12.4.127", "nvidia-cuda-nvrtc-cu12==12.4.127",
]
CACHE = "/root/.cache/uv"
CACHES = re.compile(r"/root/\.cache/|/opt/conda/pkgs/")
SITE = "/usr/local/lib/python3.11/dist-packages"
# Libraries of each conda package.
CONDA = {
    "libcublas": r"libcublas(Lt)?\.so.*", "libcusolver": r"libcusolver(Mg)?\.so.*", "libcusparse": r"libcusparse\.so.*",
    "libnvjitlink": r"libnvJitLink\.so.*", "cuda-cudart": r"libcudart\.so.*",
}
ENVIRONMENT = {
    "HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
    "UV_CACHE_DIR": CACHE, "UV_PYTHON_DOWNLOADS": "never", "UV_HTTP_TIMEOUT": "180",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
}
RESULTS = []


def check(root, title, wrong, said):
    """Prints a result; `wrong` lists what is wrong."""
    RESULTS.append(not wrong)
    print(f"{'FAIL' if wrong else 'ok'} {root}: {title}: {said}", flush=True)
    for line in wrong[:12] + [f"and {len(wrong) - 12} more"][:len(wrong) > 12]:
        print(f"    {line}")


# --- building roots --------------------------------------------------------------------------------

@contextlib.contextmanager
def writable(home, layer):
    """The part `debian`, with changes written to a directory on disk, where uv can run."""
    for name in ("work", "mounted"):
        os.makedirs(f"{home}/{name}", exist_ok=True)
    root, layers = f"{home}/mounted", f"lowerdir={loader.part('debian')},upperdir={layer},workdir={home}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, root], check=True)
    binds = {"/proc": "/proc", "/dev": "/dev", tools(): "/mnt", "/etc/ssl/certs": "/etc/ssl/certs", "/etc/resolv.conf": "/etc/resolv.conf"}
    try:
        for source, target in binds.items():
            subprocess.run(["mount", "--rbind", os.path.realpath(source), root + target], check=True)
        yield root
    finally:
        subprocess.run(["umount", "--recursive", "--lazy", root], check=True)
        shutil.rmtree(f"{home}/work")


def tools():
    """The directory of uv's own program: some installations have a script of that name in the path."""
    for place in [os.path.dirname(os.path.realpath(sys.executable)), *os.environ["PATH"].split(":")]:
        with contextlib.suppress(OSError), open(f"{place}/uv", "rb") as program:
            if program.read(4) == b"\x7fELF":
                return place
    sys.exit("uv is not installed")


def uv(root, *arguments):
    run = subprocess.run(["chroot", root, "/mnt/uv", *arguments], env=ENVIRONMENT, capture_output=True, text=True)
    if run.returncode or "warning" in run.stderr:
        print(f"    uv {' '.join(arguments)}: status {run.returncode}\n{run.stdout}{run.stderr}")
    if run.returncode:
        sys.exit("uv fails")


def install(home, layer, places, *options, take=False):
    """Installs the stack, with the cache of the first installation, which is moved if it is not needed again."""
    if os.path.isdir(f"{home}/cache"):
        os.makedirs(os.path.dirname(layer + CACHE))
        subprocess.run(["mv" if take else "cp", *([] if take else ["-a"]), f"{home}/cache", layer + CACHE], check=True)
    with writable(home, layer) as root:
        for place in places:
            into = ["--python", "/usr/bin/python3", "--target", place]
            if place != SITE:
                uv(root, "venv", "--python", "/usr/bin/python3", place)
                into = ["--python", f"{place}/bin/python"]
            uv(root, "pip", "install", "--no-build", "--no-deps", *into, *options, *STACK)
    if not take and not os.path.isdir(f"{home}/cache"):
        os.rename(layer + CACHE, f"{home}/cache")


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def conda(home, layer, place):
    """A prefix as conda makes it: packages are unpacked to pkgs, and `place` puts their files into the prefix."""
    prefix, site = f"{layer}/opt/conda", f"{home}/cache/archive-v0"
    libraries = [site + path for path in loader.regular_files(site) if re.search(r"/nvidia/[^/]*/lib/lib[^/]*\.so", path)]
    packages = {name: [path for path in libraries if re.fullmatch(pattern, os.path.basename(path))] for name, pattern in CONDA.items()}
    packages["solve"] = [program(f"{home}/solve", next(path for path in packages["libcusolver"] if "Mg" not in path))]
    for name, files in packages.items():
        full = f"{name}-12.4.0-h0_0"
        index = {"name": name, "version": "12.4.0", "build": "h0_0", "build_number": 0, "subdir": "linux-64", "depends": []}
        listed = [f"{'bin' if name == 'solve' else 'lib'}/{os.path.basename(file)}" for file in files]
        for file, inside in zip(files, listed):
            for directory in (f"{prefix}/pkgs/{full}", prefix):
                os.makedirs(os.path.dirname(f"{directory}/{inside}"), exist_ok=True)
            shutil.copy(file, f"{prefix}/pkgs/{full}/{inside}")
            place(f"{prefix}/pkgs/{full}/{inside}", f"{prefix}/{inside}")
        write(f"{prefix}/pkgs/{full}/info/index.json", json.dumps(index).encode())
        write(f"{prefix}/pkgs/{full}.conda", os.urandom(100_000))
        write(f"{prefix}/conda-meta/{full}.json", json.dumps({**index, "files": listed}).encode())
    # No program finds this copy, whose two names are one file.
    stray = ["/usr/local/lib/libnvJitLink.so.12", "/srv/old/libnvJitLink.so.12"]
    for path in stray:
        os.makedirs(os.path.dirname(layer + path))
    shutil.copy(packages["libnvjitlink"][0], layer + stray[0])
    os.link(layer + stray[0], layer + stray[1])


def program(path, library):
    """A program that finds its libraries as conda's programs do."""
    command = ["gcc", "-x", "c", "-", "-x", "none", "-o", path, "-nostdlib", "-pie", "-fPIE", "-e", "main", "-Wl,--no-as-needed", library]
    command += ["-Wl,--allow-shlib-undefined,--unresolved-symbols=ignore-all,--disable-new-dtags,-rpath,$ORIGIN/../lib"]
    subprocess.run(command, input="int main(void) { return 0; }", text=True, check=True)
    return path


def soft(source, target):
    """Symbolic links, but not to programs, whose $ORIGIN would be in the cache."""
    if "/bin/" in source:
        os.link(source, target)
    else:
        os.symlink(source[source.index("/opt/conda/"):], target)


# --- what cudacheck says ---------------------------------------------------------------------------

def ask(binary, root, *options):
    command = [binary, "image", root, "--format", "json", *options]
    run = subprocess.run(command, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if run.returncode not in (0, 1, 3):
        sys.exit(f"{' '.join(command)}: status {run.returncode}\n{run.stderr}")
    return json.loads(run.stdout)


def summary(report):
    """What must not depend on how files are linked; files by their names without directories."""
    name = os.path.basename
    copies = [copy for library in report["libraries"] for copy in library["copies"]]
    missing = {f"{library['name']} for {name(user)}" for library in report["libraries"] for user in library["missing_for"]}
    found = {f"{entry['id']} {name(entry['path'] or '')}" for entry in report["findings"] if re.match(r"library\.(missing|not)", entry["id"])}
    code = lambda owner: [(kind["arch"], kind["kind"], kind["images"], kind["bytes"]) for kind in owner["device_code"]]
    return {
        "missing": collections.Counter(missing | found),
        "verdicts": collections.Counter((name(copy["path"]), copy["soname"], copy["verdict"]) for copy in copies),
        "device code": collections.Counter([*code(report["image"]), *((name(copy["path"]), *code(copy)) for copy in copies if code(copy))]),
        "users": collections.Counter({f"{name(copy['path'])} by {name(use['path'])} ({use['how']})" for copy in copies for use in copy["used_by"]}),
        "ELF files": collections.Counter([report["image"]["elf_files"]]),
    }


# --- what is on the disk ---------------------------------------------------------------------------

def inodes(root):
    """Names, size, and bytes on disk of each regular file."""
    files = {}
    for path in loader.regular_files(root):
        at = os.lstat(root + path)
        files.setdefault((at.st_dev, at.st_ino), ([], at.st_size, at.st_blocks * 512))[0].append(path)
    return list(files.values())


def links(root):
    """Symbolic links from an installation into a cache."""
    found = (f"{directory}/{entry}" for place in ("usr/local", "opt", "srv")
             for directory, _, names in os.walk(f"{root}/{place}") for entry in names)
    return sorted(path[len(root):] for path in found if os.path.islink(path) and CACHES.match(os.readlink(path)))


def deletion(line):
    """The command that removes what a line of a Dockerfile avoids."""
    if cache := re.match(r"RUN --mount=type=cache,target=(\S+) ", line):
        return f"rm -rf {cache[1]}"
    return re.search(r"(?:^RUN |&& )(rm -.*)", line)[1]


def free(root_name, layer, title, changes, before, traced):
    """Follows suggestions in a copy of the root."""
    with loader.overlay(layer, loader.part("debian")) as root:
        for change in changes:
            subprocess.run(["chroot", root, "/bin/sh", "-c", deletion(change["line"])], env=ENVIRONMENT, check=True)
        after = inodes(root)
        freed, blocks = (sum(file[kind] for file in before) - sum(file[kind] for file in after) for kind in (1, 2))
        left = [path for path in loader.dynamic_objects(root) if path in traced] if all(change["proven"] for change in changes) else []
        now, linked = loader.trace(root, left, {}), links(root)
        wrong = [f"ld.so resolves {path} differently afterwards" for path in left if now[path] != traced[path]]
        wrong += [f"{path} leads nowhere afterwards" for path, leads in zip(linked, loader.chrooted(root, os.path.exists, linked)) if not leads]
    number, claimed = len(before) - len(after), sum(change["bytes"] for change in changes)
    if freed != claimed:
        wrong.insert(0, f"claimed {claimed}, freed {freed}, by: {' ; '.join(change['line'] for change in changes)[:600]}")
    if abs(blocks - freed) > 4096 * (number + 1):
        wrong.append(f"freed {freed} by size and {blocks} on disk")
    check(root_name, f"freed: {title}", wrong, f"{claimed} bytes claimed, {number} files freed")


# --- tests -----------------------------------------------------------------------------------------

def test(binary, root_name, layer, right, compared):
    """Tests one root; returns its summary. Without `right` it is the root that others are compared to."""
    with loader.overlay(layer, loader.part("debian")) as root:
        files, objects, linked = inodes(root), loader.dynamic_objects(root), links(root)
        libraries = [path for path in linked if re.fullmatch(r".*/lib(cu|nv)[^/]*\.so\.\d+", path)]
        traced, said = loader.trace(root, objects + libraries, {}), loader.asked(binary, root, {})
        said.update({path: loader.without_loader(ask(binary, root, "--ldd", path)["loads"]) for path in libraries})
        wrong = [" ".join(entry) for entry in loader.differences(traced, said)]
        check(root_name, "loader", wrong, f"{len(objects)} objects, {len(libraries)} links to libraries")
        report = ask(binary, root)
    now = summary(report)
    for what in compared if right else ():
        entries = sorted(right[what].keys() | now[what].keys(), key=str)
        wrong = [f"{entry}: {now[what][entry]} times, right is {right[what][entry]}" for entry in entries if now[what][entry] != right[what][entry]]
        check(root_name, what, wrong, f"{len(entries)} entries")
    total, claimed = sum(size for _, size, _ in files), report["image"]["bytes"]
    check(root_name, "bytes", [] if total == claimed else [f"{claimed} said"], f"{total} in {len(files)} inodes")
    names = {path: inode[0] for inode in files for path in inode[0]}
    copies = [copy for library in report["libraries"] for copy in library["copies"] if copy["path"] in names]
    wrong = [f"{copy['path']}: {copy['hard_links']}, right is {others}" for copy in copies
             if (others := sorted({*names[copy["path"]]} - {copy["path"]})) != sorted(copy["hard_links"])]
    wrong += [f"{copy['path']} has a name outside the cache" for copy in copies
              if CACHES.match(copy["path"]) and any(not CACHES.match(path) for path in names[copy["path"]])]
    check(root_name, "names", wrong, f"{sum(len(copy['hard_links']) for copy in copies)} hard links of {len(copies)} copies")
    changes = report["savings"]["changes"]
    for change in changes:
        free(root_name, layer, f"{change['what']}{'' if change['proven'] else ', for review'}", [change], files, traced)
    free(root_name, layer, "all of these", changes, files, traced)
    return now


EVERYTHING = ["missing", "verdicts", "device code", "users", "ELF files"]


def roots(home):
    """Name, name of the root to compare to, what to compare, and what builds it; the roots to compare to are first."""
    yield "copy", None, [], lambda layer: install(home, layer, [SITE], "--link-mode", "copy")
    yield "hardlink", "copy", EVERYTHING, lambda layer: install(home, layer, [SITE], "--link-mode", "hardlink")
    yield "symlink", "copy", EVERYTHING, lambda layer: install(home, layer, [SITE], "--link-mode", "symlink")
    yield "venv", "copy", EVERYTHING, lambda layer: install(home, layer, ["/opt/venv"])
    yield "two venvs", "copy", EVERYTHING, lambda layer: install(home, layer, ["/opt/venv", "/srv/app/.venv"])
    yield "conda copy", None, [], lambda layer: conda(home, layer, os.rename)
    yield "conda hardlink", "conda copy", EVERYTHING, lambda layer: conda(home, layer, os.link)
    yield "conda symlink", "conda copy", EVERYTHING, lambda layer: conda(home, layer, soft)
    # Here the cache has true copies.
    yield "cached copy", "copy", ["missing"], lambda layer: install(home, layer, [SITE], "--link-mode", "copy", take=True)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    loader.private_mounts()
    binary, word, known = os.path.abspath(sys.argv[1]), (sys.argv[2:] or [""])[0], {}
    with tempfile.TemporaryDirectory(prefix="roots-", dir=loader.PARTS) as home:
        for root_name, like, compared, build in roots(home):
            if like and word not in root_name:
                continue
            layer = f"{home}/layer"
            os.makedirs(layer)
            build(layer)
            known[root_name] = test(binary, root_name, layer, known.get(like), compared)
            shutil.rmtree(layer)
    print(f"{RESULTS.count(True)} passed, {RESULTS.count(False)} failed")
    sys.exit(0 if all(RESULTS) else 1)


if __name__ == "__main__":
    main()
