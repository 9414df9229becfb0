#!/usr/bin/env python3
"""Compares the speed of `cudacheck image` with its peers' in one run. A benchmark, not a test.

    tests/bench/audit.py [BINARY] [--runs N] [--only PART,...]

Parts: trees (peer: find), loops (cuobjdump, and lddtree or ld.so, file by file), archives (decompressing and listing),
growth (10^4 to 10^6 entries). The real trees are parts of tests/real/parts.sh ($CUDACHECK_PARTS, default
~/.cache/cudacheck); temporary files are created next to them: 6 GB for archives. EXPECTED was written before the first
measurement. Compared commands run in turn, so that other load on the machine affects all of them. Peak memory needs GNU
time, zstd layers need zstd, ld.so in a chroot needs root; the program reports what is missing. Prints Markdown; the
exit status is 0 whatever the results.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import platform
import shlex
import shutil
import signal
import stat
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = Path(os.environ.get("CUDACHECK_PARTS", Path.home() / ".cache/cudacheck"))
BINARY = ROOT / "target/release/cudacheck"
CUOBJDUMP = "triton/backends/nvidia/bin/cuobjdump"
TREES = ["torch12", "torch13", "toolkit11"]

EXPECTED = {
    "census": "at most 2 times find, at most 64 MB",
    "full": "at most 4 times find, at most 64 MB",
    "loops": "at least 100 times as fast as both loops",
    "archive": "at most 1.3 times the peer, same peak for 1 and 5 GB",
    "growth": "not more per entry than at 10^5, nor in one directory",
}
# Seconds; longer loops are measured on a sample of files, except cuobjdump's: few files contain most of the code.
LONGEST_LOOP = 60
SAMPLE = 40
# Below ext4's limit of hard links per file.
LINKS = 60_000
# Bytes on disk for the largest archive.
ARCHIVE = 7 << 30


# --- measuring --------------------------------------------------------------------------------------

class Figures:
    """Times and peak memory of the runs of a command."""

    def __init__(self):
        self.walls, self.cpus, self.peak = [], [], None

    @property
    def wall(self):
        return statistics.median(self.walls)

    @property
    def cpu(self):
        return statistics.median(self.cpus)

    def times(self, other):
        """Ratio to the other command's time: the median over pairs of consecutive runs."""
        return statistics.median(mine / yours for mine, yours in zip(self.walls, other.walls))


def run(command, figures=None):
    start = time.perf_counter()
    with open(os.devnull, "r+b") as null:
        child = subprocess.Popen(command, stdin=null, stdout=null, stderr=subprocess.PIPE)
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    # An audit with findings exits with 1.
    audit = any(" image " in f" {part} " for part in command)
    if child.returncode not in ((0, 1) if audit else (0,)):
        sys.exit(f"{shlex.join(map(str, command))}: status {child.returncode}: {said.decode(errors='replace')[-500:]}")
    if figures:
        figures.walls.append(time.perf_counter() - start)
        figures.cpus.append(usage.ru_utime + usage.ru_stime)


def take_turns(commands, runs):
    """Figures of each command, after one warm-up run each."""
    all_figures = [Figures() for _ in commands]
    for command in commands:
        run(command)
    for _ in range(runs):
        for command, figures in zip(commands, all_figures):
            run(command, figures)
    for command, figures in zip(commands, all_figures):
        figures.peak = peak(command)
    return all_figures


def peak(command):
    """Peak resident memory of a command's processes in bytes. By GNU time, because a direct child would inherit the
    peak of this program."""
    if not os.path.exists("/usr/bin/time"):
        return None
    with tempfile.NamedTemporaryFile(mode="r") as answer:
        run(["/usr/bin/time", "-q", "-o", answer.name, "-f", "%M", *command])
        return int(answer.read().split()[-1]) << 10


def shell(pipeline, *arguments):
    return ["sh", "-c", pipeline, "sh", *map(str, arguments)]


class Others:
    """Measures the load by other processes: ratios are only meaningful on an idle machine."""

    def __init__(self):
        self.start, self.before = time.perf_counter(), self.busy()

    @staticmethod
    def busy():
        with open("/proc/stat", encoding="ascii") as file:
            # The fourth and fifth are idle and iowait; guest time is included in user.
            ticks = [int(text) for text in file.readline().split()[1:9]]
        used = sum(ticks[:3] + ticks[5:]) / os.sysconf("SC_CLK_TCK")
        return used - sum(os.times()[:4])

    def cores(self):
        return max(0, (self.busy() - self.before) / (time.perf_counter() - self.start))


# --- printing ---------------------------------------------------------------------------------------

def duration(seconds):
    return f"{seconds:.1f} s" if seconds >= 10 else f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.0f} ms"


def size(count):
    return "?" if count is None else f"{count / 1e6:.0f} MB"


def table(*columns):
    print("\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))


def row(*cells):
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def missing(what, why):
    print(f"not measured: {what} ({why})", file=sys.stderr)


# --- trees ------------------------------------------------------------------------------------------

def walk(tree):
    return ["find", tree, "-printf", "%p %s\\n"]


def trees(binary, runs, _):
    table("tree", "entries", "what", "time", "find -printf", "times find", "CPU", "CPU of find", "peak", "expected")
    for name in TREES:
        tree = PARTS / name
        if not tree.exists():
            missing(name, f"tests/real/parts.sh {name}")
            continue
        entries = sum(len(folders) + len(files) for _, folders, files in os.walk(tree))
        census = [binary, "image", tree, "--level", "census"]
        find, *ours = take_turns([walk(tree), census, [binary, "image", tree]], runs)
        for what, figures in zip(("census", "full"), ours):
            row(name, f"{entries:,}", what, duration(figures.wall), duration(find.wall), f"{figures.times(find):.2f}",
                duration(figures.cpu), duration(find.cpu), size(figures.peak), EXPECTED[what])


# --- loops over ELF files ---------------------------------------------------------------------------

def elf_files(tree):
    """Paths inside the tree."""
    for directory, _, files in os.walk(tree):
        for file in files:
            full = os.path.join(directory, file)
            if stat.S_ISREG(os.lstat(full).st_mode):
                with open(full, "rb") as opened:
                    if opened.read(4) == b"\x7fELF":
                        yield full[len(str(tree)):]


def auditwheel():
    """The command of auditwheel, if installed."""
    program = shutil.which("auditwheel", path=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    return [program, "lddtree"] if program else None


def loop(command, files, sampled=True):
    """Seconds for one process per file in sequence, and how they were measured."""

    def spent(some):
        start = time.perf_counter()
        for file in some:
            # Exit statuses do not matter: programs may lack device code, and the loader may refuse objects.
            subprocess.run([*command, file], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start

    if sampled:
        sample = files[::max(1, len(files) // SAMPLE)][:SAMPLE]
        spent(sample)
        scaled = spent(sample) * len(files) / len(sample)
        if scaled > LONGEST_LOOP:
            return scaled, f"scaled from {len(sample)} of {len(files)} files"
    return spent(files), f"all {len(files)} files"


def loops(binary, runs, _):
    table("tree", "full audit", "peer, one process per file", "peer's time", "how", "peer / audit", "expected")
    for name in TREES[:2]:
        tree = PARTS / name
        tool = next(iter(tree.rglob(CUOBJDUMP)), None)
        if not tool:
            missing(f"{name}: loops", f"tests/real/parts.sh {name}")
            continue
        files = sorted(elf_files(tree))
        outside = [f"{tree}{file}" for file in files]
        audit, = take_turns([[binary, "image", tree]], runs)
        peers = [("cuobjdump --list-elf --list-ptx", *loop([tool, "--list-elf", "--list-ptx"], outside, sampled=False))]
        if auditwheel():
            peers.append(("auditwheel lddtree", *loop(auditwheel(), outside)))
        else:
            missing("auditwheel lddtree", "pip install auditwheel")
        if os.geteuid() == 0:
            trace = ["chroot", tree, "/usr/bin/env", "LD_TRACE_LOADED_OBJECTS=1", "/lib64/ld-linux-x86-64.so.2"]
            peers.append(("LD_TRACE_LOADED_OBJECTS=1 ld.so, in a chroot", *loop(trace, files)))
        else:
            missing("ld.so", "chroot needs root")
        # Again at the end, because the load may have changed.
        for _ in range(runs):
            run([binary, "image", tree], audit)
        for peer, seconds, how in peers:
            row(name, duration(audit.wall), peer, duration(seconds), how, f"{seconds / audit.wall:.0f}", "")
        for peer, seconds, _ in peers[1:]:
            both = peers[0][1] + seconds
            row(name, duration(audit.wall), f"cuobjdump and {peer.split(',')[0]}", duration(both), "sum",
                f"{both / audit.wall:.0f}", EXPECTED["loops"])


# --- archives ---------------------------------------------------------------------------------------

class Hashed:
    """Writes and hashes a file."""

    def __init__(self, file):
        self.file, self.digest, self.length = file, hashlib.sha256(), 0

    def write(self, data):
        self.digest.update(data)
        self.length += len(data)
        return self.file.write(data)


def write_layer(file, tree, limit=None):
    """Writes the tree as a layer, sorted by name, without files that would exceed the limit."""
    out, used = Hashed(file), 0
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as layer:
        for directory, folders, files in os.walk(tree):
            folders.sort()
            for name in sorted(folders + files):
                path = os.path.join(directory, name)
                member = layer.gettarinfo(path, os.path.relpath(path, tree))
                if member is None or limit and used + member.size > limit:
                    continue
                used += member.size
                with open(path, "rb") if member.isreg() else contextlib.nullcontext() as content:
                    layer.addfile(member, content)
    return out


def add(archive, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def config(diff_id):
    return json.dumps({
        "os": "linux", "architecture": "amd64", "config": {"Env": ["PATH=/usr/bin:/bin"], "User": "1000"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]}, "history": [{"created_by": "COPY . /"}],
    }).encode()


def docker_save(path, tree):
    """An archive as by `docker save` before Docker 25, without a temporary copy of the layer."""
    with open(path, "w+b") as file:
        file.write(bytes(512))
        layer = write_layer(file, tree)
        file.write(bytes(-layer.length % 512))
        end = file.tell()
        header = tarfile.TarInfo("layer/layer.tar")
        header.size = layer.length
        file.seek(0)
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.seek(end)
        with tarfile.open(fileobj=file, mode="w|") as archive:
            add(archive, "config.json", config(layer.digest.hexdigest()))
            image = {"Config": "config.json", "RepoTags": ["bench:latest"], "Layers": ["layer/layer.tar"]}
            add(archive, "manifest.json", json.dumps([image]).encode())
    return path, "layer/layer.tar"


def oci_archive(path, layer, diff_id, how):
    digest = hashlib.sha256()
    with open(layer, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    name = lambda digest: f"blobs/sha256/{digest}"
    entry = lambda kind, digest, length: {
        "mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": length}
    with tarfile.open(path, "w") as archive:
        settings = config(diff_id)
        manifest = json.dumps({
            "schemaVersion": 2, "config": entry("config.v1+json", hashlib.sha256(settings).hexdigest(), len(settings)),
            "layers": [entry(f"layer.v1.tar{how and '+' + how}", digest.hexdigest(), os.path.getsize(layer))]}).encode()
        index = {"schemaVersion": 2, "manifests": [entry("manifest.v1+json", hashlib.sha256(manifest).hexdigest(), len(manifest))]}
        for blob in (settings, manifest):
            add(archive, name(hashlib.sha256(blob).hexdigest()), blob)
        archive.add(layer, name(digest.hexdigest()))
        add(archive, "index.json", json.dumps(index).encode())
        add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    return path, name(digest.hexdigest())


def made_archives(home, tree):
    """Title, archive, its layer, and the layer's compression."""
    yield "docker save, plain", *docker_save(home / "whole.tar", tree), ""
    (home / "whole.tar").unlink()
    part = home / "layer.tar"
    with open(part, "wb") as file:
        diff_id = write_layer(file, tree, 1 << 30).digest.hexdigest()
    for how, program in (("", None), ("gzip", ["gzip", "-1"]), ("zstd", ["zstd", "-q"])):
        if program and not shutil.which(program[0]):
            missing(f"{how} layers", f"no {program[0]}")
            continue
        layer = home / f"layer.{how}" if program else part
        if program:
            with open(part, "rb") as source, open(layer, "wb") as target:
                subprocess.run([*program, "-c"], stdin=source, stdout=target, check=True)
        yield f"OCI, {how or 'plain'} layer", *oci_archive(home / "part.tar", layer, diff_id, how), how


def archives(binary, runs, home):
    tree = PARTS / TREES[0]
    if not tree.exists():
        missing("archives", f"tests/real/parts.sh {TREES[0]}")
        return
    if shutil.disk_usage(home).free < ARCHIVE:
        missing("archives", f"{home} needs {size(ARCHIVE)} of free space")
        return
    table("archive", "size", "what", "time", "decompressing and listing", "ratio", "CPU", "peer's CPU", "peak", "expected")
    for title, archive, layer, how in made_archives(home, tree):
        decompress = f"{how} -dc | " if how else ""
        listing = shell(f'tar -xOf "$1" "$2" | {decompress}tar -t', archive, layer)
        listing_piped = shell(f'cat "$1" | tar -xOf - "$2" | {decompress}tar -t', archive, layer)
        piped = shell('cat "$1" | "$2" image -', archive, binary)
        file, pipe, *peers = take_turns([[binary, "image", archive], piped, listing, listing_piped], max(3, runs // 3))
        for what, figures, peer in zip(("the file", "from a pipe"), (file, pipe), peers):
            row(title, size(archive.stat().st_size), what, duration(figures.wall), duration(peer.wall), f"{figures.times(peer):.2f}",
                duration(figures.cpu), duration(peer.cpu), size(figures.peak), EXPECTED["archive"])


# --- growth -----------------------------------------------------------------------------------------

def fill(root, entries, directory_of, kinds):
    """Creates entries as hard links to few files; `kinds` are suffixes and contents, used in turn."""
    place, count, originals = None, 0, {}
    while count < entries:
        directory = root / directory_of(count)
        if directory != place:
            place = directory
            if not directory.exists():
                directory.mkdir(parents=True)
        ending, content = kinds[count % len(kinds)]
        path = f"{directory}/entry-{count}{ending}"
        original, links = originals.get(ending, (None, LINKS))
        if links == LINKS:
            Path(path).write_bytes(content)
            os.chmod(path, 0o755 if ending == ".so" else 0o644)
            originals[ending] = path, 1
        else:
            os.link(original, path)
            originals[ending] = original, links + 1
        count += 1


def growth(binary, runs, home):
    module = next(iter(sorted((PARTS / TREES[0]).rglob("lib-dynload/*.so"))), None)
    text, source = (".txt", b"text\n"), (".py", b"import os\n" * 200)
    small = [text]
    # With the share of programs and sources of a torch tree.
    mixed = [text] * 61 + [source] * 36 + [(".so", module.read_bytes())] * 3 if module else None
    cases = [("data", f"{count:,}", count, small, lambda number: f"d{number // 1000}") for count in (10**4, 10**5, 10**6)]
    if mixed:
        cases += [("mixed", f"{count:,}", count, mixed, lambda number: f"d{number // 1000}") for count in (10**4, 10**5, 10**6)]
    else:
        missing("programs and sources in the growth", f"tests/real/parts.sh {TREES[0]}")
    cases.append(("data", f"{10**6:,} in one directory", 10**6, small, lambda number: "one"))
    table("content", "entries", "what", "time", "find -printf", "times find", "per entry", "CPU per entry", "peak", "per entry", "expected")
    for content, title, count, kinds, directory_of in cases:
        root = home / "grown"
        try:
            fill(root, count, directory_of, kinds)
            commands = [walk(root), [binary, "image", root, "--level", "census"], [binary, "image", root]]
            find, *ours = take_turns(commands, max(3, runs // 3))
            for what, figures in zip(("census", "full"), ours):
                memory = "?" if figures.peak is None else f"{figures.peak / count:.0f} B"
                row(content, title, what, duration(figures.wall), duration(find.wall), f"{figures.times(find):.2f}",
                    f"{figures.wall / count * 1e6:.1f} µs", f"{figures.cpu / count * 1e6:.1f} µs", size(figures.peak), memory,
                    EXPECTED["growth"] if count == 10**6 else "")
        finally:
            shutil.rmtree(root, ignore_errors=True)


MEASUREMENTS = {"trees": trees, "loops": loops, "archives": archives, "growth": growth}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", nargs="?", type=Path, default=BINARY)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(MEASUREMENTS), metavar="PART,...")
    options = parser.parse_args()
    binary = options.binary.resolve()
    if not binary.exists():
        sys.exit(f"{binary} does not exist: run cargo build --release")
    unknown = set(options.only) - MEASUREMENTS.keys()
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; known: {', '.join(MEASUREMENTS)}")
    # So that SIGTERM removes temporary files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, {time.strftime('%Y-%m-%d')}, medians of up "
          f"to {options.runs} warm runs")
    for name in options.only:
        others = Others()
        # On the file system of the trees.
        with tempfile.TemporaryDirectory(prefix="bench-", dir=PARTS if PARTS.is_dir() else None) as home:
            MEASUREMENTS[name](binary, options.runs, Path(home))
        print(f"\n{name}: other processes used {others.cores():.1f} of {os.cpu_count()} cores.", flush=True)


if __name__ == "__main__":
    main()
