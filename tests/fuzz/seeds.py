#!/usr/bin/env python3
"""Writes the seeds in corpus/: small inputs, valid and damaged, some made by real tools.

Requires gcc, ldconfig and zstd. The seeds are committed; run this only to change them.
"""

import gzip
import io
import json
import pathlib
import shutil
import sqlite3
import struct
import subprocess
import tarfile
import tempfile

HERE = pathlib.Path(__file__).parent
CORPUS = HERE / "corpus"
LARGEST = 8192


def put(target: str, name: str, content: bytes) -> None:
    assert len(content) <= LARGEST, f"{target}/{name} has {len(content)} bytes"
    place = CORPUS / target / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def region(*entries: tuple[int, int, int, int]) -> bytes:
    """A region of device code, with an entry for each (kind, SM, flags, claimed bytes)."""
    body = b""
    for kind, sm, flags, claimed in entries:
        body += struct.pack("<HHIQQIIIIQ", kind, 0, 72, claimed, 0, 0, 0, sm, 0, flags).ljust(72, b"\0")
        body += b"P" * min(claimed, 64)
    claimed = sum(72 + entry[3] for entry in entries)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, claimed) + body


SOURCE = """
#include <dlfcn.h>
const char *names[] = {"libcudart.so.12", "/usr/lib/libcuda.so.1", "libnvrtc.so.%%d", "\\0/lib/x/\\0/usr/lib/x/"};
__attribute__((section(".nv_fatbin"))) const unsigned char fatbin[] = {%s};
void *load(int i) { return dlopen(names[i], RTLD_NOW); }
"""

LINK = "-shared -fPIC -Os -nostartfiles -fno-asynchronous-unwind-tables -s -Wl,-z,noseparate-code -Wl,-z,norelro"


def program(directory: pathlib.Path, soname: str, *options: str) -> bytes:
    source, place = directory / "x.c", directory / "x.so"
    code = region((2, 90, 0x100000, 8), (1, 80, 0, 16))
    source.write_text(SOURCE % ",".join(map(str, code)))
    command = ["gcc", *LINK.split(), "-Wl,--build-id=none", f"-Wl,-soname,{soname}", *options]
    subprocess.run([*command, "-o", str(place), str(source)], check=True)
    return place.read_bytes()


def header(segments: list[tuple[int, int, int, int]]) -> bytes:
    """An ELF with segments of (type, offset, address, bytes)."""
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head = ident + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, len(segments), 64, 0, 0)
    for kind, offset, address, size in segments:
        head += struct.pack("<IIQQQQQQ", kind, 4, offset, address, address, size, size, 1)
    return head


def hostile_programs() -> None:
    # Interpreters that overlap and have no end.
    many = header([(3, at, 0, 7000 - at) for at in range(64, 164)]).ljust(7100, b"x")
    put("elf", "many_interpreters", many)
    # Dependencies that share one long name.
    start, count = 64 + 2 * 56, 150
    strings = start + 16 * (count + 3)
    entries = [(5, strings), (10, 4000)] + [(1, at % 8) for at in range(count)] + [(0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    whole = 16 * len(entries)
    names = header([(1, 0, 0, strings + 4000), (2, start, start, whole)]) + dynamic + b"n" * 3999 + b"\0"
    put("elf", "long_names", names)
    # Overlapping lists of versions.
    entries = [(5, 0), (10, 64), (0x6FFFFFFE, 512), (0x6FFFFFFF, 4096), (0x6FFFFFFC, 512), (0x6FFFFFFD, 4096), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    whole = 16 * len(entries)
    versions = header([(1, 0, 0, 4096), (2, start, start, whole)]) + dynamic
    put("elf", "versions_on_each_other", versions.ljust(512, b"\0") + b"\x01\0\0\x10" * 896)


def programs(directory: pathlib.Path) -> None:
    run = program(directory, "libx.so.1", "-Wl,-rpath,$ORIGIN/../lib:/opt/lib")
    put("elf", "library", run)
    put("elf", "library_with_rpath", program(directory, "libx.so.1", "-Wl,-rpath,/a", "-Wl,--disable-new-dtags"))
    put("elf", "loader", program(directory, "ld-linux-x86-64.so.2"))
    script = directory / "versions"
    script.write_text("X_1 { global: load; }; X_2 { } X_1;")
    put("elf", "library_with_versions", program(directory, "libx.so.1", f"-Wl,--version-script={script}"))
    put("elf", "program", program(directory, "x", "-Wl,-e,load", "-Wl,-dynamic-linker,/lib64/ld-linux-x86-64.so.2"))
    put("elf", "head", run[:64])
    put("elf", "class_32", b"\x7fELF\x01\x01\x01" + run[7:400])
    put("elf", "big_endian", run[:5] + b"\x02" + run[6:400])
    source = directory / "main.c"
    source.write_text("int main(void) { return 0; }")
    subprocess.run(["gcc", "-s", "-o", str(directory / "main"), str(source)], check=True)
    put("elf", "usual_beginning", (directory / "main").read_bytes()[:LARGEST])
    hostile_programs()


def fatbins() -> None:
    one = region((2, 90, 0, 16), (1, 90, 0, 32), (2, 100, 0x200000, 8))
    put("fatbin", "region", b"\x10" + one)
    put("fatbin", "regions", b"\x40" + b"\7" * 24 + one + region((2, 80, 0, 8), (9, 1, 0, 8)) + b"\x50\xed\x55\xba")
    put("fatbin", "claims_much", b"\x40" + region((2, 90, 0, 2**63 - 72)) + region((2, 90, 0, 2**62)))
    put("fatbin", "cut", b"\x01" + one[:50])


def ld_caches(directory: pathlib.Path) -> None:
    root = directory / "root"
    for place in ["lib/libx.so.1", "usr/lib/libx.so.1", "usr/lib/glibc-hwcaps/x86-64-v3/libx.so.1"]:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes((CORPUS / "elf/library").read_bytes())
    (root / "etc").mkdir()
    (root / "etc/ld.so.conf").write_text("/usr/lib\n")
    for layout in ["new", "compat", "old"]:
        subprocess.run(["ldconfig", "-X", "-c", layout, "-r", str(root)], check=True)
        put("ld_cache", layout, (root / "etc/ld.so.cache").read_bytes())
    real = pathlib.Path("/etc/ld.so.cache")
    put("ld_cache", "beginning", real.read_bytes()[:LARGEST])
    # Names that share one long text.
    table = struct.pack("<iIIIQ", 0x303, 48 + 24 * 100, 48 + 24 * 100, 0, 0) * 100
    head = b"glibc-ld.so.cache1.1" + struct.pack("<II", 100, 5000) + b"\2".ljust(20, b"\0")
    put("ld_cache", "one_long_name", head + table + b"n" * 4999 + b"\0")


def packages() -> None:
    dpkg = b"Package: a\nStatus: install ok installed\nVersion: 1:2-3\n\nPackage: b\nStatus: install ok installed\nVersion: 1\n\n"
    put("packages", "dpkg", b"\0" + dpkg + b"\xff/.\n/usr\n/usr/lib64/../lib/libcudart.so.12\n\xff/lib64/libcudart.so.12\n/a\n")
    put("packages", "distroless", b"\1Package: a\nVersion: 1\n\xff0123  usr/lib/libcudart.so.12\nbroken\n45  ./a\n")
    apk = b"C:Q1=\nP:musl\nV:1.2.5-r0\nF:usr/lib\nM:0:0:755\nR:libcudart.so.12\na:0:0:755\n\nP:root\nV:1\nF:\nR:a\n\n"
    put("packages", "apk", b"\2" + apk)
    put("packages", "apk_long_directory", b"\2P:a\nF:" + b"d" * 2000 + b"\n" + b"R:a\n" * 1000)
    record = b'nvidia/lib/libcublas.so.12,sha256=x,1\n"../a,b",,\n../../../../a,,\n'
    put("packages", "pip", b"\3" + record + b"\xffMetadata-Version: 2.1\nName: nvidia-cublas\nVersion: 12.4\n\nName: no\n")
    put("packages", "pip_alone", b"\3" + record)
    conda = {"name": "nccl", "version": "2", "build": "0", "files": ["lib/libnccl.so.2"]}
    paths = {"name": "a", "version": "1", "build": "0", "paths_data": {"paths": [{"_path": "lib/libnccl.so.2"}]}}
    put("packages", "conda", b"\4" + json.dumps(conda).encode() + b"\xff" + json.dumps(paths).encode())
    put("packages", "conda_deep", b"\4" + b'{"name":"a","version":"1","build":"0","x":' + b"[" * 4000)


def rpm_header(**tags: tuple[int, int, int, bytes]) -> bytes:
    index, data = b"", b""
    for tag, kind, count, value in tags.values():
        data = data.ljust((len(data) + 3) // 4 * 4, b"\0") if kind == 4 else data
        index += struct.pack(">IIII", tag, kind, len(data), count)
        data += value
    return struct.pack(">II", len(tags), len(data)) + index + data


def databases(directory: pathlib.Path) -> None:
    name = {"name": (1000, 6, 1, b"a\0"), "version": (1001, 6, 1, b"1\0"), "release": (1002, 6, 1, b"2\0")}
    files = {
        "places": (1116, 4, 2, struct.pack(">II", 0, 1)),
        "names": (1117, 8, 2, b"libcudart.so.12\0x\0"),
        "directories": (1118, 8, 2, b"/usr/lib/\0/\0"),
    }
    whole = rpm_header(**name, epoch=(1003, 4, 1, struct.pack(">I", 2)), **files)
    old = rpm_header(**name, paths=(1027, 8, 2, b"/a\0/b\0"))
    long = {
        "places": (1116, 4, 100, b"\0" * 400),
        "names": (1117, 8, 100, b"\0" * 100),
        "directories": (1118, 8, 1, b"d" * 3000 + b"\0"),
    }
    for label, header in [("whole", whole), ("old", old), ("long_directory", rpm_header(**name, **long))]:
        put("rpm", label, header)
    for label, page, rows in [("small_pages", 512, 24), ("pages", 1024, 3)]:
        place = directory / label
        database = sqlite3.connect(place)
        database.execute(f"PRAGMA page_size={page}")
        database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
        database.execute("CREATE TABLE things (a INTEGER, b REAL, c TEXT, d BLOB)")
        for row in range(rows):
            database.execute("INSERT INTO Packages (blob) VALUES (?)", [whole if page > 512 else b"b" * 9 * row])
            database.execute("INSERT INTO things VALUES (?, ?, ?, ?)", [2**row, row / 3, "é" * row, None])
        database.commit()
        database.close()
        put("sqlite", label, place.read_bytes())
        put("rpm", f"database_of_{label}", place.read_bytes())
    put("sqlite", "beginning", (HERE / "../../crates/image-audit/src/packages/samples/things.sqlite").read_bytes()[:LARGEST])


def tar(members: list[tuple], **options) -> bytes:
    """Members of (name, content), or (name, type, target)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **options) as archive:
        for name, *what in members:
            member = tarfile.TarInfo(name)
            if len(what) == 1:
                member.size, member.mode = len(what[0]), 0o755
                archive.addfile(member, io.BytesIO(what[0]))
            else:
                member.type, member.linkname = what
                archive.addfile(member)
    # Without padding to 20 blocks.
    end = file.tell()
    return file.getvalue()[:end].rstrip(b"\0").ljust((len(file.getvalue().rstrip(b"\0")) + 511) // 512 * 512, b"\0") + b"\0" * 1024


def sign(tar: bytearray, at: int) -> None:
    """Updates the checksum of a header."""
    tar[at + 148 : at + 156] = b" " * 8
    tar[at + 148 : at + 156] = b"%06o\0 " % sum(tar[at : at + 512])


def save(layers: list[bytes], **settings) -> list[tuple]:
    """The members of a `docker save`."""
    names = [f"{number}.tar" for number in range(len(layers))]
    config = {
        "os": "linux", "architecture": "amd64", "config": {"Env": ["A=b"], "Healthcheck": {"Test": ["CMD", "x"]}},
        "history": [{"created_by": "RUN x"}], "rootfs": {"diff_ids": [f"sha256:{name}" for name in names]},
    }
    manifest = [{"Config": "c.json", "RepoTags": ["a:b"], "Layers": names} | settings]
    documents = [("manifest.json", manifest), ("c.json", config)]
    return [(name, json.dumps(text).encode()) for name, text in documents] + list(zip(names, layers))


def oci(layer: bytes) -> list[tuple]:
    config = {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": ["sha256:00"]}}
    digest = lambda number: {"digest": f"sha256:{number}"}
    kind = {"mediaType": "application/vnd.oci.image.config.v1+json"}
    manifest = {"config": digest("1") | kind, "layers": [digest("2") | {"size": len(layer)}]}
    index = {"manifests": [digest("3"), digest("4") | {"platform": {"os": "unknown"}}]}
    blobs = [("index.json", index), ("blobs/sha256/1", config), ("blobs/sha256/3", manifest)]
    return [(name, json.dumps(text).encode()) for name, text in blobs] + [("blobs/sha256/2", layer)]


def zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-19", "-c"], input=content, capture_output=True, check=True).stdout


def archives() -> None:
    library = (CORPUS / "elf/library").read_bytes()
    lower = tar([("usr/lib/libx.so.1", b"x"), ("lib", tarfile.SYMTYPE, "usr/lib"), ("h", tarfile.LNKTYPE, "usr/lib/libx.so.1")])
    upper = tar([("usr/lib/.wh.libx.so.1", b""), ("lib/y", b"y"), ("usr/.wh..wh..opq", b"")])
    put("archive", "plain", tar(save([lower])))
    put("archive", "removals", tar(save([upper])))
    put("archive", "program", tar(save([tar([("x.so", library)])])))
    put("archive", "gzip_layers", tar(save([gzip.compress(lower, mtime=0), gzip.compress(upper, mtime=0)])))
    put("archive", "zstd_layer", tar(save([zstd(lower)])))
    put("archive", "zstd_frames", tar(save([zstd(lower[:512]) + b"\x50\x2a\x4d\x18\2\0\0\0xx" + zstd(lower[512:])])))
    put("archive", "gzip_around", gzip.compress(tar(save([lower])), mtime=0))
    put("archive", "zstd_around", zstd(tar(save([upper, lower]))))
    put("archive", "oci", tar(oci(gzip.compress(lower, mtime=0))))
    links = save([b""])[:2] + [("0.tar", tarfile.SYMTYPE, "x/../real.tar"), ("real.tar", lower)]
    put("archive", "link_to_layer", tar(links))
    pax = tar([("n" * 120, b"x"), ("é" * 60, tarfile.SYMTYPE, "é" * 60)], format=tarfile.PAX_FORMAT)
    put("archive", "pax", tar(save([gzip.compress(pax, mtime=0)])))
    gnu = tar([("n" * 120, b"x"), ("../out", b"x"), ("/a/./b", b"x")], format=tarfile.GNU_FORMAT)
    put("archive", "gnu", tar(save([gzip.compress(gnu, mtime=0)])))
    size = f"44 GNU.sparse.realsize={2**64 - 1}\n".encode()
    assert len(size) == 44
    layer = bytearray(tar([("pax", size), ("y", b""), ("pax", size), ("z", b"")]))
    for at in (0, 1536):
        layer[at + 156 : at + 157] = b"x"
        sign(layer, at)
    put("archive", "claims_holes", tar(save([gzip.compress(bytes(layer), mtime=0)])))
    put("archive", "layer_alone", lower)
    put("archive", "cut", tar(save([lower]))[:3000])


def overlays() -> None:
    put("overlay", "replaced", bytes([0x00, 1, 5, 6, 0x0F, 1, 5, 6, 0x00, 1, 5, 7]))
    put("overlay", "links", bytes([0x60, 0, 0, 1, 1, 8, 0x00, 1, 0, 1, 0x8F, 0, 2, 1, 0, 1, 0xC0, 0, 0]))
    put("overlay", "removed", bytes([0x00, 2, 0, 1, 2, 0x80, 0, 1, 2, 0, 1, 2, 0xCF, 2, 0, 1, 2, 0xE0, 0, 0]))


def texts() -> None:
    paths = [
        "a/usr/local/cuda-12.4/bin/nvcc", "b/usr/local/cuda-12.4/include/cuda.h", "c/usr/lib/libcudart.so.12.4.99",
        "d/root/.cache/pip/http/a", "e/opt/conda/pkgs/a-1/info/index.json", "f/opt/conda/pkgs/a-1/lib/x.a",
        "g/var/cache/apt/archives/a.deb", "h/var/lib/apt/lists/x", "i/tmp/x", "j/app/.git/objects/a", "!/a/core.1",
        "!/usr/lib/debug/x.debug", "k/usr/lib/x86_64-linux-gnu/libcudnn.so.9.1.0", "l/app/x.whl", "m/usr/bin/gcc-12",
        "n/usr/lib/python3/site-packages/nvidia/cuda_runtime/include/cuda.h", "o/opt/nvidia/nsight-compute/x/ncu",
    ]
    put("leftovers", "places", "\n".join(paths).encode())
    put("leftovers", "packages", b"a/x/pkgs/a.conda\nb/x/pkgs/tmp/y\nc/x/pkgs/pkgs/z.whl\nd/y/pkgs/.cache/pip/a\n")
    secrets = {
        "netrc": b"\0machine a login b password \1\n", "pip": b"\1[global]\nindex-url = https://u:\1@host/simple\n",
        "docker": b'\2{"auths": {"a": {"auth": "\1"}}}', "environment": b"\3export TOKEN=\1\nPASSWORD='\1'\n#A=\1\n",
        "conda": b"\4channels:\n - https://host/t/\1/channel\n", "npm": b"\5//host/:_authToken=\1\n", "whole": b"\6\1\n",
        "key": b"\7-----BEGIN OPENSSH PRIVATE KEY-----\n" + b"b3BlbnNzaC1rZXk" * 20, "shadow": b"\x08root:$6$abcdefghijkl:1\n",
        "history": b"\0|1 A=\1 /bin/sh -c curl --token \1 https://\1@host/?token=\1\nENV \1=x\nRUN echo root:\1 | chpasswd\n",
        "names": b"\0\1_PASSWORD=abcdefgh\n\1=\1\nARG \1\n/root/.netrc\n",
    }
    for name, content in secrets.items():
        put("secrets", name, content)
    python = {
        "loads": b'import ctypes\nctypes.CDLL(f"libnvrtc.so.{major}")\nlibs = {"cublas": "libcublas.so.*[0-9]"}\n# libnccl.so.2\n',
        "mentions": b"find_library('cudart'); open('/opt/x/libcufft.so.11'); y = \"libnvrtc\"",
        "script": b"#!/usr/bin/env python3\nimport x\nx.dlopen('libcudart.so')\n",
        "one_line": b"CDLL" + b".so" * 2500,
    }
    for name, content in python.items():
        put("python", name, content)
    strings = {
        "names": b"\x40\0libcuda.so.1\0\xf0?libcudart.so.12\0/usr/lib64/libcuda.so.1\0libnvrtc.so.%d\0",
        "prose": b"\x01see libcuda.so.1\0libcuda.so.1 is\0'libcuda.so.1'\0.so", "joined": b"\x80firstlibcublas.so.12second",
        "hashes": b"\x20\0libcublas-1a2b3c4d.so.12\0libcudnn_" + b"a" * 60 + b".so.9\0",
    }
    for name, content in strings.items():
        put("strings", name, content)


def images() -> None:
    library = (CORPUS / "elf/library").read_bytes()

    def member(kind: int, name: int, content: bytes, other: int = 0) -> bytes:
        return bytes([kind, name, other]) + struct.pack("<H", len(content)) + content

    variables = b"LD_LIBRARY_PATH=/opt/lib::x\nTOKEN=\1\nPATH=/bin"
    history = b"RUN curl -H 'token \1' https://u:\1@host\nENV A=\1 B=c\nCOPY x y"
    head = bytes([0, len(variables)]) + variables + bytes([len(history)]) + history
    put("image", "programs", head + member(0, 0, library) + member(0, 15, library) + member(1, 1, b"", 0))
    put("image", "token_alone", b"\0\0\1\1")
    put("image", "gzip", b"\x80" + head[1:] + member(0, 2, library))
    texts = member(0, 8, b"import ctypes\nctypes.CDLL('libcudart.so.12')\n") + member(0, 9, b"TOKEN=\1\nPASSWORD=hunter22\n")
    status = member(0, 10, b"Package: a\nStatus: install ok installed\nVersion: 1\n") + member(0, 11, b"/usr/lib/libcudart.so.12\n")
    put("image", "texts", head + texts + status + member(0, 0, library) + member(0, 7, b"ID=alpine\nVERSION_ID=3\n"))
    layers = b"\x01" + head[1:] + b"\x02" + member(0, 0, library[:600]) + member(2, 6, b"../../../etc/x")
    put("image", "layers", layers + member(0, 13, b"") + member(0, 14, b"") + member(2, 6, b"/etc/ld.so.preload"))


def main() -> None:
    shutil.rmtree(CORPUS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        programs(place)
        ld_caches(place)
        databases(place)
    fatbins()
    packages()
    archives()
    overlays()
    texts()
    images()


if __name__ == "__main__":
    main()
