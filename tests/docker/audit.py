#!/usr/bin/env python3
"""Audits images that a Docker Engine has built, as `docker save IMAGE | BINARY image -` and as a file.

    audit.py BINARY        parts: $CUDACHECK_PARTS, default ~/.cache/cudacheck; needs docker and gcc

One Dockerfile of several stages makes two images of the same program, which needs libcudart from a wheel: one
as it is often written (a toolkit beside the wheel, wheels copied and deleted, root, no health check), one as
it should be. Each must get the findings that are expected of it, and no other.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PARTS = Path(os.environ.get("CUDACHECK_PARTS", Path.home() / ".cache/cudacheck"))
SITE = "/usr/local/lib/python3.11/dist-packages"
TOOLKIT = "/usr/local/cuda-12.4/lib64"

DOCKERFILE = f"""
FROM scratch AS base
ADD debian.tar /

FROM base AS build
COPY wheels /wheels
COPY app /out/usr/local/bin/app
RUN mkdir -p /out{SITE} && cp -a /wheels/. /out{SITE}/

FROM base AS bad
COPY toolkit {TOOLKIT}
RUN echo {TOOLKIT} > /etc/ld.so.conf.d/cuda.conf && ldconfig
COPY wheels /wheels
RUN mkdir -p {SITE} && cp -a /wheels/. {SITE}/
RUN rm -rf /wheels
COPY app /usr/local/bin/app
ENV LD_LIBRARY_PATH={TOOLKIT}:
CMD ["/usr/local/bin/app"]

FROM base AS good
COPY --from=build /out /
USER 10001
HEALTHCHECK CMD ["/usr/local/bin/cudacheck", "health"]
CMD ["/usr/local/bin/app"]
"""

EXPECTED = {
    "good": set(),
    "bad": {
        # The program's RPATH goes before LD_LIBRARY_PATH: the toolkit's copy is for nobody.
        "library.redundant", "library.working-directory", "contents.hidden-bytes", "contents.root-user",
        "contents.no-healthcheck",
    },
}


def run(*command, **options):
    return subprocess.run(command, check=True, **options)


def context(home):
    wheels = PARTS / "cublas/12"
    shutil.copytree(wheels, home / "wheels", ignore=lambda directory, names: {
        name for name in names if name == "cublas" or name.startswith("nvidia_cublas")})
    library = home / "wheels/nvidia/cuda_runtime/lib/libcudart.so.12"
    (home / "toolkit").mkdir()
    shutil.copy(library, home / "toolkit/libcudart.so.12.4.127")
    (home / "toolkit/libcudart.so.12").symlink_to("libcudart.so.12.4.127")
    # apt's lists are no part of what is tested here.
    run("tar", "-C", PARTS / "debian", "--exclude=./var/lib/apt/lists/*", "--exclude=./var/cache/apt/*", "--exclude=./dev/*",
        "-cf", home / "debian.tar", ".")
    (home / "app.c").write_text("int cudaRuntimeGetVersion(int *); int main() { int v; return cudaRuntimeGetVersion(&v); }")
    run("gcc", "-o", home / "app", home / "app.c", library, "-Wl,--disable-new-dtags",
        f"-Wl,-rpath,{SITE}/nvidia/cuda_runtime/lib", "-Wl,--allow-shlib-undefined")
    (home / "Dockerfile").write_text(DOCKERFILE)


def audit(binary, *arguments, **options):
    output = subprocess.run([binary, "image", *arguments, "--format", "json"], capture_output=True, **options)
    assert output.returncode in (0, 1), output.stderr.decode()
    return json.loads(output.stdout)


def judged(report):
    return {finding["id"] for finding in report["findings"]}


def check(binary, home, name, tag):
    """What is wrong with the audit of one image."""
    run("docker", "build", "-q", "--target", name, "-t", tag, home, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env={**os.environ, "DOCKER_BUILDKIT": "0"})
    with subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE) as saved:
        piped = audit(binary, "-", stdin=saved.stdout)
    archive = home / f"{name}.tar"
    run("docker", "save", tag, "-o", archive)
    report = audit(binary, archive)
    if judged(report) != EXPECTED[name]:
        yield f"findings {sorted(judged(report))} instead of {sorted(EXPECTED[name])}"
    if report["findings"] != piped["findings"] or report["libraries"] != piped["libraries"]:
        yield "the pipe and the file are judged differently"
    cudart = next(library for library in report["libraries"] if library["name"] == "libcudart")
    verdicts = {copy["path"]: copy["verdict"] for copy in cudart["copies"]}
    expected = {f"{SITE}/nvidia/cuda_runtime/lib/libcudart.so.12": "used"}
    if name == "bad":
        expected[f"{TOOLKIT}/libcudart.so.12.4.127"] = "redundant"
    if verdicts != expected:
        yield f"verdicts {verdicts} instead of {expected}"
    if report["image"]["unreadable"]:
        yield f"not read: {report['image']['unreadable']}"
    print(subprocess.run([binary, "image", archive], capture_output=True, text=True).stdout)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    failed = 0
    with tempfile.TemporaryDirectory(dir=PARTS) as home:
        home = Path(home)
        context(home)
        tags = {name: f"cudacheck-audit-{os.getpid()}:{name}" for name in EXPECTED}
        try:
            for name, tag in tags.items():
                faults = list(check(sys.argv[1], home, name, tag))
                failed += bool(faults)
                print("FAIL" if faults else "ok", f"the {name} image")
                for fault in faults:
                    print("   ", fault)
        finally:
            for tag in tags.values():
                subprocess.run(["docker", "rmi", "-f", tag], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # Stages in between have no names.
            subprocess.run(["docker", "image", "prune", "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
