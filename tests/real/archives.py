#!/usr/bin/env python3
"""Compares what cudacheck reads from image archives with the file system that Docker creates from the same image.

    archives.py BINARY

The images are built from Debian's static busybox (busybox-static), saved with `docker save`, and converted to every
other kind of archive: compressed as a whole, Docker 25's layout, OCI archives and directories with plain, gzip and zstd
layers, nested indexes with attestations and other platforms. For each one, `BINARY image ARCHIVE --list` and `... - <
PIPE` must list the same files with sizes and links with targets as `docker export` of a container, and the audit must
be able to read everything. Needs docker, zstd and busybox-static.
"""

import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

BUSYBOX = "/bin/busybox"
# Files that the engine adds to every container.
INJECTED = {"/.dockerenv", "/dev", "/dev/console", "/dev/pts", "/dev/shm", "/etc", "/etc/hostname", "/etc/hosts",
            "/etc/mtab", "/etc/resolv.conf", "/proc", "/sys"}
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]

DOCKERFILE = f"""
FROM scratch
ENV NVIDIA_VISIBLE_DEVICES=all
LABEL kind=base
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /usr/lib /usr/bin && ln -s usr/lib /lib && ln -s /usr/bin /sbin && echo one > /lib/one.so.1
RUN cd /lib && ln -s one.so.1 one.so && ln one.so.1 hard.so.1 && ln one.so.1 hard.so.2 && chmod 4755 one.so.1
COPY files /opt/files
RUN mkdir -p /opt/whole /opt/opaque/sub /opt/turn /opt/became && for n in 1 2 3; do echo $n > /opt/whole/$n; \\
    echo old$n > /opt/opaque/$n; echo $n > /opt/opaque/sub/$n; echo $n > /opt/turn/$n; done; echo f > /opt/file
RUN rm /opt/files/big && rm -r /opt/whole && rm -r /opt/opaque && mkdir /opt/opaque && echo new > /opt/opaque/2
RUN rm -r /opt/turn && echo file > /opt/turn && rm /opt/file && mkdir /opt/file && echo x > /opt/file/x
RUN rm -r /opt/became && ln -s files /opt/became && mkfifo /opt/fifo && chown 1000:1000 /opt/file
RUN rm /lib/one.so.1 && echo hidden > /lib/two.so && chmod 600 /lib/hard.so.2
RUN echo again > /lib/two.so
COPY files/same /same
RUN rm /same
COPY files/same /same
USER 1000
HEALTHCHECK CMD ["/bin/busybox", "true"]
ENTRYPOINT ["/bin/busybox"]
CMD ["sh"]
"""


def odd_layers():
    """Layers that no builder creates, but that engines unpack. An entry is a name, and a target or content."""
    yield [("usr/lib/a", b"a"), ("lib", "usr/lib"), ("abs", "/usr/lib"), ("dir/sub/x", b"x"), ("dir/y", b"y"),
           ("keep/one", b"1"), ("gone/one", b"1"), ("tofile/x", b"x"), ("todir", b"file"), ("turn", "dir"),
           ("onlybelow/x", b"x"), ("z-later/a", b"a"), ("z/a", b"a"), ("z0/a", b"a")]
    # Paths through a link of a lower layer, and through a link of the same layer.
    yield [("lib/x", b"below a link"), ("own/real/", None), ("own/link", "real"), ("own/link/y", b"y"),
           ("own/absolute", "/own/real"), ("own/absolute/z", b"z")]
    # Whiteouts before and after entries that they do not remove.
    yield [("dir/", None), ("dir/new", b"new"), ("dir/.wh..wh..opq", b""), ("gone/", None), ("gone/.wh.one", b""),
           ("gone/two", b"2"), (".wh.tofile", b""), ("z/", None), ("z/.wh.a", b""), ("keep/.wh.absent", b"")]
    yield [("tofile", b"now a file"), ("todir/", None), ("todir/x", b"x"), ("turn/", None), ("turn/x", b"x"),
           ("onlybelow", b"was a directory")]
    yield [("./dotted/./a", b"a"), ("/rooted/a", b"a")]


def odd_archive(path, tag):
    layers = []
    for entries in odd_layers():
        text = io.BytesIO()
        with tarfile.open(fileobj=text, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for name, what in entries:
                member = tarfile.TarInfo(name)
                if what is None:
                    member.type, member.mode = tarfile.DIRTYPE, 0o755
                elif isinstance(what, str):
                    member.type, member.linkname, member.mode = tarfile.SYMTYPE, what, 0o777
                else:
                    member.size = len(what)
                archive.addfile(member, io.BytesIO(what) if isinstance(what, bytes) else None)
        layers.append(text.getvalue())
    config = {"os": "linux", "architecture": ARCHITECTURE, "config": {}, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]}}
    members = {"config.json": json.dumps(config).encode()}
    members.update({f"{index}/layer.tar": layer for index, layer in enumerate(layers)})
    image = {"Config": "config.json", "RepoTags": [tag], "Layers": [name for name in members if "/" in name]}
    members["manifest.json"] = json.dumps([image]).encode()
    layout = Layout()
    layout.files = members
    return layout.archive(path)


def run(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **more).stdout


# --- images -----------------------------------------------------------------------------------------

def build(home, tag):
    context = home / "context"
    files = context / "files"
    files.mkdir(parents=True)
    shutil.copy(BUSYBOX, context / "busybox")
    (context / "Dockerfile").write_text(DOCKERFILE)
    (files / "big").write_bytes(os.urandom(3 << 20))
    (files / "same").write_text("the same in two layers\n")
    (files / "empty").touch()
    (files / "größe").write_text("a name beyond ASCII\n")
    (files / ("n" * 120)).write_text("a name longer than a header's field\n")
    deep = files.joinpath(*["d" * 60] * 5)
    deep.mkdir(parents=True)
    (deep / ("f" * 90)).write_text("a path longer than a header's two fields\n")
    (deep / "link").symlink_to("../" * 30 + "e" * 150)
    for number in range(300):
        (files / f"many-{number}").write_bytes(b"%d" % number * number)
    run("docker", "build", "-q", "-t", tag, context, env={**os.environ, "DOCKER_BUILDKIT": "0"})


def export(tag):
    """Files with sizes and links with targets in a container of an image."""
    container = run("docker", "create", tag, "none").decode().strip()
    try:
        archive = tarfile.open(fileobj=io.BytesIO(run("docker", "export", container)))
    finally:
        run("docker", "rm", container)
    tree = {}
    for member in archive:
        path = "/" + member.name.strip("/")
        if member.isreg():
            tree[path] = member.size
        elif member.islnk():
            # Only the first hard link has the size.
            tree[path] = tree["/" + member.linkname.strip("/")]
        elif member.issym():
            tree[path] = member.linkname
    return tree


# --- the same image in other archives ---------------------------------------------------------------

def unpack(saved):
    """Configuration, layers and tags of a classic archive."""
    archive = tarfile.open(saved)
    image = json.load(archive.extractfile("manifest.json"))[0]
    config = archive.extractfile(image["Config"]).read()
    layers = [archive.extractfile(layer).read() for layer in image["Layers"]]
    return config, layers, image["RepoTags"]


def compressed(layer, how):
    if how == "gzip":
        # Two members, as parallel compressors write them.
        half = len(layer) // 2
        return gzip.compress(layer[:half], 5) + gzip.compress(layer[half:], 5)
    if how == "zstd":
        skippable = b"\x50\x2a\x4d\x18\x04\0\0\0skip"
        third = len(layer) // 3
        frames = [run("zstd", "-qc", input=part) for part in (layer[:third], layer[third:])]
        return b"".join([skippable, *frames, skippable])
    return layer


class Layout:
    """Builds an OCI layout."""

    def __init__(self):
        self.files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def blob(self, data, kind, **more):
        digest = hashlib.sha256(data).hexdigest()
        self.files[f"blobs/sha256/{digest}"] = data
        kind = f"application/vnd.oci.image.{kind}"
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data), **more}

    def document(self, value, kind, **more):
        return self.blob(json.dumps(value).encode(), kind, **more)

    def image(self, config, layers, **more):
        value = {"schemaVersion": 2, "config": self.blob(config, "config.v1+json"),
                 # The media types are wrong on purpose: readers must not trust them.
                 "layers": [self.blob(layer, "layer.v1.tar") for layer in layers]}
        return self.document(value, "manifest.v1+json", **more)

    def index(self, manifests):
        self.files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()

    def directory(self, path):
        for name, data in self.files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
        return path

    def archive(self, path, order=sorted):
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            for name in order(self.files):
                member = tarfile.TarInfo(name)
                member.size = len(self.files[name])
                archive.addfile(member, io.BytesIO(self.files[name]))
        return path


def layouts(home, config, layers, tags):
    named = {"annotations": {"io.containerd.image.name": f"docker.io/library/{tags[0]}",
                             "org.opencontainers.image.ref.name": tags[0].split(":")[1]}}
    for how in ("plain", "gzip", "zstd"):
        layout = Layout()
        layout.index([layout.image(config, [compressed(layer, how) for layer in layers], **named)])
        yield f"OCI directory, {how} layers", layout.directory(home / f"oci-{how}")
        yield f"OCI archive, {how} layers", layout.archive(home / f"oci-{how}.tar")
        first = lambda names: sorted(names, reverse=True)
        yield f"OCI archive, {how} layers, the index first", layout.archive(home / f"first-{how}.tar", first)
    layout = Layout()
    image = layout.image(config, layers, platform={"os": "linux", "architecture": ARCHITECTURE})
    other = layout.image(config.replace(ARCHITECTURE.encode(), b"s390x"), layers[:1] * len(layers),
                         platform={"os": "linux", "architecture": "s390x"})
    attestation = layout.image(b"{}", [b'{"_type":"https://in-toto.io/Statement/v0.1"}'],
                               platform={"os": "unknown", "architecture": "unknown"},
                               annotations={"vnd.docker.reference.type": "attestation-manifest"})
    absent = {**image, "digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "ppc64le"}}
    index = {"schemaVersion": 2, "manifests": [absent, other, attestation, image]}
    layout.index([layout.document(index, "index.v1+json", **named)])
    yield "nested index", layout.archive(home / "nested.tar")
    docker25 = Layout()
    manifest = docker25.image(config, layers, **named)
    docker25.index([manifest])
    blob = lambda data: "blobs/sha256/" + hashlib.sha256(data).hexdigest()
    docker25.files["manifest.json"] = json.dumps(
        [{"Config": blob(config), "RepoTags": tags, "Layers": [blob(layer) for layer in layers]}]).encode()
    yield "Docker 25", docker25.archive(home / "docker25.tar")


def archives(home, tag):
    saved = home / "saved.tar"
    saved.write_bytes(run("docker", "save", tag))
    yield "docker save", saved
    for how in ("gzip", "zstd"):
        whole = home / f"saved.tar.{how}"
        whole.write_bytes(run(how, "-qc1", saved))
        yield f"docker save, {how}", whole
    yield from layouts(home, *unpack(saved))


# --- the comparison ---------------------------------------------------------------------------------

def differences(expected, seen):
    for path in sorted(expected.keys() | seen.keys()):
        if expected.get(path) != seen.get(path) and not (path in INJECTED and path not in seen):
            yield f"{path}: docker has {expected.get(path)}, cudacheck {seen.get(path)}"


def listed(output):
    entries = map(json.loads, output.splitlines())
    return {entry["path"]: entry.get("bytes", entry.get("target")) for entry in entries}


def answers(binary, archive):
    """Lists an archive by name and, if it is a file, from a pipe, which cannot be read twice."""
    command = [binary, "image", "--list", "--format", "json"]
    yield "", listed(run(*command, archive))
    if archive.is_file():
        with subprocess.Popen(["cat", archive], stdout=subprocess.PIPE) as feeder:
            yield ", from a pipe", listed(run(*command, "-", stdin=feeder.stdout))


def check(binary, expected, cases):
    """Returns the number of failures."""
    failed = 0
    for name, archive in cases:
        for how, seen in answers(binary, archive):
            found = list(differences(expected, seen))
            failed += bool(found)
            print("FAIL" if found else "ok", f"{name}{how}: {len(seen)} entries")
            for line in found[:20]:
                print("    " + line[:2000])
        audit = json.loads(subprocess.run([binary, "image", archive, "--format", "json"], capture_output=True).stdout)
        if audit["image"]["unreadable"]:
            failed += 1
            print("FAIL", name, audit["image"]["unreadable"])
    return failed


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    binary = sys.argv[1]
    built, odd = f"cudacheck-archives-{os.getpid()}:built", f"cudacheck-archives-{os.getpid()}:odd"
    with tempfile.TemporaryDirectory() as home:
        home = Path(home)
        try:
            build(home, built)
            failed = check(binary, export(built), archives(home, built))
            saved = odd_archive(home / "odd.tar", odd)
            run("docker", "load", "-qi", saved)
            failed += check(binary, export(odd), [("layers that no builder creates", saved)])
        finally:
            subprocess.run(["docker", "rmi", "-f", built, odd], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
