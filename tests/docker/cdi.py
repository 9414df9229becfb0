#!/usr/bin/env python3
"""Gives containers a GPU by a CDI specification, as the NVIDIA Container Toolkit does: healthy and with launch faults.

    cdi.py BINARY [FAKES]      needs podman 4.1 or newer, runc or crun, root, /dev/fuse, tests/real/parts.sh debian musl
                               FAKES: directory of built fakes; without it rustc builds them

Podman reads the specification, creates the device nodes, mounts the libraries and runs the hooks. All of these are
replacements: /dev/nvidia* opens /dev/fuse, which a container can only open if it was given to it; the libraries are the
fakes; a hook mounts the files of a kernel module into /proc. This shows what each launch fault does to a container, but
proves nothing about hardware. Where the fakes cannot notice a fault, their script says what the driver would return.

The images are made from the parts; no registry is used. Everything is created in one directory and in a new mount
namespace: the machine's own nodes, specifications, images and containers are not touched.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

HERE = Path(__file__).resolve().parent
PARTS = Path(os.environ.get("CUDACHECK_PARTS", Path.home() / ".cache/cudacheck"))
INSIDE = "CUDACHECK_CDI_INSIDE"
GROUP = f"cudacheck-cdi-{os.getpid()}"
# Where that directory is mounted; rootless podman can access it, too.
HOME = Path("/run/cudacheck")
BINARY = HOME / "images/debian/usr/local/bin/cudacheck"
# For hooks, which must be able to start it without root.
PYTHON = next((path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if os.path.exists(path)), sys.executable)

DRIVER = "550.54.15"
NEWER = "550.90.07"
SYSTEM = "/usr/lib/x86_64-linux-gnu"
# The driver's directory on Red Hat hosts, which Debian's loader only finds by the cache.
LIB64 = "/usr/lib64"
GKE = "/usr/local/nvidia/lib64"
VIDEO = 44
NODES = ("nvidiactl", "nvidia0", "nvidia1", "nvidia-uvm", "nvidia-uvm-tools")
VERIFY = ("/usr/local/bin/cudacheck", "--format", "json")

FAKES = {
    "libcuda.so.1": "cuda",
    "libnvidia-ml.so.1": "nvml",
    "libcublasLt.so.12": "cublaslt",
    "libcublas.so.12": "cublas",
    "libcudart.so.12": "cudart",
    "libcupti.so.12": "cupti",
}
# Libraries mounted from the host.
OF_DRIVER = {"libcuda.so.1": f"libcuda.so.{DRIVER}", "libnvidia-ml.so.1": f"libnvidia-ml.so.{DRIVER}"}

# Results of the driver if its nodes cannot be opened because of the cgroup, or because of their modes.
DENIED = "nvmlInit_v2 = 999\ncuInit = 100"
FORBIDDEN = "nvmlInit_v2 = 4\ncuInit = 100"
# Results if libraries and kernel module are of two releases, without a GPU, and without nvidia-uvm.
MISMATCH = "nvmlInit_v2 = 18\ncuInit = 803"
NO_GPU = "gpus = 0\ncuInit = 100"
NO_UVM = "cuInit = 999"


# --- the specification -----------------------------------------------------------------------------------


def hook(*arguments):
    program = [PYTHON, str(HOME / "cdi_hook.py")]
    return {"hookName": "createContainer", "path": PYTHON, "args": [*program, *arguments]}


def specification(folder):
    """As `nvidia-ctk cdi generate` writes it, for a host with two GPUs."""
    def node(name):
        return {"path": f"/dev/{name}"}

    gpus = {"0": [node("nvidia0")], "1": [node("nvidia1")], "all": [node("nvidia0"), node("nvidia1")]}
    return {
        "cdiVersion": "0.5.0",
        "kind": "nvidia.com/gpu",
        "devices": [{"name": name, "containerEdits": {"deviceNodes": nodes}} for name, nodes in gpus.items()],
        "containerEdits": {
            "env": ["NVIDIA_VISIBLE_DEVICES=void"],
            "deviceNodes": [node("nvidiactl"), node("nvidia-uvm"), node("nvidia-uvm-tools")],
            "mounts": [
                {
                    "hostPath": str(HOME / "driver" / name),
                    "containerPath": f"{folder}/{name}",
                    "options": ["ro", "nosuid", "nodev", "bind"],
                }
                for name in OF_DRIVER.values()
            ],
            "hooks": [
                hook("create-symlinks", "--link", f"libcuda.so.1::{folder}/libcuda.so"),
                hook("update-ldcache", "--folder", folder),
            ],
        },
    }


def kernel():
    """The host's kernel module, of either version. It is visible in containers without a GPU, too."""
    def device(version):
        files = HOME / "kernel" / version
        show = hook("show-module", "--driver", str(files), "--devices", str(files / "devices"))
        return {"name": version, "containerEdits": {"hooks": [show]}}

    devices = [device(version) for version in (DRIVER, NEWER)]
    return {"cdiVersion": "0.5.0", "kind": "cudacheck.test/kernel", "devices": devices}


def edits(spec):
    return [spec["containerEdits"], *(device["containerEdits"] for device in spec["devices"])]


def nodes(spec):
    return [node for edit in edits(spec) for node in edit.get("deviceNodes", [])]


def without_mount(part):
    def change(spec):
        mounts = spec["containerEdits"]["mounts"]
        spec["containerEdits"]["mounts"] = [mount for mount in mounts if part not in mount["containerPath"]]
    return change


def without_node(name):
    def change(spec):
        for edit in edits(spec):
            edit["deviceNodes"] = [node for node in edit["deviceNodes"] if node["path"] != f"/dev/{name}"]
    return change


def without_hook(command):
    def change(spec):
        hooks = spec["containerEdits"]["hooks"]
        spec["containerEdits"]["hooks"] = [hook for hook in hooks if command not in hook["args"]]
    return change


def without_nodes(spec):
    for edit in edits(spec):
        edit["deviceNodes"] = []
        # A device without any edit would make the specification invalid.
        edit.setdefault("env", ["NVIDIA_VISIBLE_DEVICES=void"])


def as_gke(spec):
    """Mounts the driver's directory and does not configure the loader."""
    mount = spec["containerEdits"]["mounts"][0]
    spec["containerEdits"]["mounts"] = [{**mount, "hostPath": str(HOME / "driver"), "containerPath": GKE}]
    spec["containerEdits"]["hooks"] = []


def only_links(folder):
    """Creates the links that programs use, but does not update the cache."""
    def change(spec):
        hooks = spec["containerEdits"]["hooks"]
        hooks[1]["args"][2:] = ["create-symlinks", *(word for soname, name in OF_DRIVER.items()
                                                     for word in ("--link", f"{name}::{folder}/{soname}"))]
    return change


def without_gpus(spec):
    for device in spec["devices"]:
        device["containerEdits"] = {"env": ["NVIDIA_VISIBLE_DEVICES=none"]}


def for_group(spec):
    for node in nodes(spec):
        node.update(fileMode=0o660, uid=0, gid=VIDEO)


def with_uvm(major):
    def change(spec):
        for node in nodes(spec):
            if node["path"] == "/dev/nvidia-uvm":
                node.update(type="c", major=major, minor=0)
    return change


def upgraded(spec):
    """The host's driver was upgraded after the specification was generated."""
    spec["containerEdits"]["mounts"][0]["hostPath"] = "/usr/lib/libcuda.so.535.104.05"


def with_third_gpu(spec):
    spec["devices"][-1]["containerEdits"]["deviceNodes"].append({"path": "/dev/nvidia2"})


# --- cases -----------------------------------------------------------------------------------------------


@dataclass
class Case:
    name: str
    # Id of the first finding; None: there must be no finding.
    first: Optional[str] = None
    verdict: str = "failed"
    # Words that this finding must contain.
    words: tuple = ()
    # The requested devices, nvidia.com/gpu=...
    gpus: Optional[str] = "all"
    # Version of the loaded kernel module.
    kernel: Optional[str] = DRIVER
    # Directory of the driver's libraries in the container.
    folder: str = SYSTEM
    # Changes the specification; None: there is no specification.
    change: Optional[Callable] = lambda spec: None
    script: str = "gpus = 2"
    options: tuple = ()
    image: str = "debian"
    command: tuple = VERIFY


def healthy(name, first=None, **options):
    return Case(name, first, "verified", **options)


def refused(name, words, explained=None, **options):
    """The container does not start, with this error of podman; `explained`: id of the check whose text quotes it."""
    return Case(name, explained, "refused", (words,), kernel=None, **options)


def unused_major():
    """A major number that no driver uses, as nvidia-uvm had before the module was reloaded."""
    characters = Path("/proc/devices").read_text().split("\n\n")[0]
    used = {int(line.split()[0]) for line in characters.splitlines()[1:]}
    return next(major for major in range(511, 383, -1) if major not in used)


def cases(podman_4):
    stale = unused_major()

    def bound(how):
        volumes = [f"/dev/{name}:/dev/{name}:{how}" for name in ("nvidiactl", "nvidia-uvm", "nvidia0")]
        return tuple(word for volume in volumes for word in ("-v", volume))

    unprivileged = ("--user", "65534:65534", "--cap-drop", "all", "--security-opt", "no-new-privileges")
    no_memory_files = ("--security-opt", f"seccomp={HOME}/seccomp.json", "--tmpfs", "/tmp:exec")
    return [
        healthy("all GPUs"),
        healthy("only the second GPU", gpus="1", script="gpus = 1"),
        # Debian has files that only root can read, which is a note.
        healthy("an unprivileged user", "library.unreadable", options=unprivileged),
        healthy("a read-only root", options=("--read-only",)),
        healthy("the driver directory of a Red Hat host, found by the cache", folder=LIB64),
        healthy("the driver directory of GKE, in LD_LIBRARY_PATH", change=as_gke,
                options=("-e", f"LD_LIBRARY_PATH={GKE}")),
        healthy("ldconfig in the container instead of a hook", change=without_hook("update-ldcache"),
                command=("/bin/sh", "-c", f"ldconfig && exec {' '.join(VERIFY)}")),
        healthy("no ldconfig, but LD_LIBRARY_PATH", folder=LIB64, change=only_links(LIB64),
                options=("-e", f"LD_LIBRARY_PATH={LIB64}")),
        healthy("a user namespace", options=("--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536")),
        healthy("/proc/driver is masked", options=("--security-opt", "mask=/proc/driver")),
        healthy("nodes for a group of the user", "library.unreadable", script="gpus = 1", gpus="0", change=for_group,
                options=("--user", "1000:1000", "--group-add", str(VIDEO))),

        Case("no driver on the host", "launch.driver-not-loaded", gpus=None, kernel=None),
        Case("no GPU requested", "launch.not-requested", gpus=None),
        *([Case("Docker's --gpus all, which podman 4 ignores", "launch.not-requested", gpus=None,
                options=("--gpus", "all"))] if podman_4 else []),
        Case("the driver without a GPU", "launch.no-gpu-selected", change=without_gpus, script=NO_GPU),
        Case("NVIDIA_VISIBLE_DEVICES=void without devices", "launch.no-gpu-selected", gpus=None, options=("-e", "NVIDIA_VISIBLE_DEVICES=void")),
        Case("a pod without the runtime class", "launch.no-runtime-class", gpus=None, options=(
            "-e", "KUBERNETES_SERVICE_HOST=10.0.0.1",
            "-e", "NVIDIA_VISIBLE_DEVICES=GPU-00000000-0000-0000-0000-000000000000")),
        Case("two GPUs with the default /dev/shm", "launch.small-shm", "verified", options=("--shm-size", "64m")),
        Case("no libcuda", "launch.libcuda-missing", change=without_mount("libcuda")),
        Case("no libnvidia-ml", "driver.nvml", "verified", change=without_mount("libnvidia-ml")),
        Case("no ldconfig: no link libcuda.so.1", "image.no-ld-cache", change=without_hook("update-ldcache")),
        Case("no ldconfig: the libraries are not in the cache", "image.no-ld-cache", folder=LIB64,
             change=only_links(LIB64), words=(LIB64,)),
        Case("the driver directory of GKE, not in LD_LIBRARY_PATH", "launch.library-path", change=as_gke,
             words=(GKE,)),
        Case("no node nvidia-uvm", "launch.uvm-missing", change=without_node("nvidia-uvm"), script=NO_UVM),
        Case("a node nvidia-uvm from before the module was reloaded", "launch.uvm-stale", change=with_uvm(stale),
             script=NO_UVM, words=(str(stale),)),
        Case("nodes for a group that the user is not in", "launch.node-permissions", script=FORBIDDEN, change=for_group,
             options=("--user", "1000:1000"), words=("EACCES", f"--group-add {VIDEO}")),
        Case("nodes mounted as volumes", "launch.device-denied", script=DENIED, change=without_nodes,
             options=bound("dev"), words=("EPERM",)),
        Case("nodes mounted as volumes with nodev", "launch.device-denied", script=FORBIDDEN, change=without_nodes,
             options=bound("nodev"), words=("EACCES",)),
        Case("a seccomp profile without memfd_create", "launch.seccomp", script="cuInit = 304", options=no_memory_files),
        Case("libraries older than the module after an upgrade", "node.driver-mismatch", kernel=NEWER,
             script=MISMATCH, words=(DRIVER, NEWER)),
        Case("driver libraries in the image, older than the module", "image.driver-mismatch", kernel=NEWER, image="baked",
             change=without_mount(""), script=MISMATCH, words=(DRIVER, NEWER)),
        Case("musl", "image.no-glibc", image="musl"),

        refused("no specification", "unresolvable CDI devices nvidia.com/gpu=all", "launch.cdi-unresolved", change=None),
        refused("a GPU that the specification lacks", "unresolvable CDI devices nvidia.com/gpu=7", gpus="7"),
        refused("a library that was removed from the host", "libcuda.so.535.104.05: no such file or directory", change=upgraded),
        refused("a node that was removed from the host", "/dev/nvidia2", change=with_third_gpu),
    ]


ROOTLESS = [
    healthy("rootless"),
    # The host's group is `nobody` in there: it cannot be added by number, but the user's groups can be kept.
    Case("rootless, nodes for a group", "launch.node-permissions", script=FORBIDDEN, words=("EACCES", "keep-groups")),
]


# --- podman ----------------------------------------------------------------------------------------------


class Podman:
    def __init__(self, user=None):
        self.home = HOME / (user or "root")
        self.base = ["podman", "--root", self.home / "storage", "--runroot", self.home / "run", "--cgroup-manager", "cgroupfs"]
        # By default podman raises both limits, which even root cannot do in some sandboxes. Several GPUs need more
        # than the default /dev/shm.
        self.arguments = ["--network", "none", "--shm-size", "1g", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
        self.environment = dict(os.environ)
        self.home.mkdir(mode=0o700)
        if user:
            # The container has only one user id, so that all files get that owner.
            self.base = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", *self.base,
                         "--storage-driver", "overlay", "--storage-opt", "overlay.ignore_chown_errors=true"]
            os.chown(self.home, int(user), int(user))
            self.environment.update(HOME=str(self.home), XDG_RUNTIME_DIR=str(self.home))
        else:
            self.arguments += ["--cgroup-parent", f"/{GROUP}"]

    def __call__(self, *command, **options):
        return subprocess.run([*self.base, *command], capture_output=True, text=True, timeout=120, cwd=HOME,
                              env=self.environment, **options)

    def run(self, image, *command, options=()):
        return self("run", "--rm", *self.arguments, *options, image, *command)

    def choose_runtime(self):
        """crun does not start if cgroups of both versions are mounted; runc is not always installed."""
        said = []
        for runtime in "crun", "runc":
            if shutil.which(runtime):
                output = self.run("debian", "/bin/true", options=["--runtime", runtime])
                if output.returncode == 0:
                    return runtime
                said.append(f"{runtime}: {output.stderr.strip()}")
        sys.exit("no container starts: " + "; ".join(said))

    def import_image(self, name):
        # Without the machine's own directories, and without apt's files, which would be findings.
        out = [f"--exclude=./{path}/*" for path in ("proc", "sys", "dev", "var/lib/apt/lists", "var/cache/apt")]
        with subprocess.Popen(["tar", "-C", HOME / "images" / name, *out, "-c", "."], stdout=subprocess.PIPE) as archive:
            output = self("import", "-", name, stdin=archive.stdout)
        if output.returncode or archive.returncode:
            sys.exit(f"podman import {name}: {output.stderr}")

    def clean(self):
        self("rm", "-fa", "-t", "0")
        self("rmi", "-fa")
        # Ends the process of rootless podman that holds its namespaces.
        if self.environment.get("XDG_RUNTIME_DIR") == str(self.home):
            self("system", "migrate")


def specify(case):
    """Writes the specifications to the directory where podman looks for them."""
    folder = Path("/run/cdi")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "kernel.json").write_text(json.dumps(kernel()))
    if case.change:
        spec = specification(case.folder)
        case.change(spec)
        (folder / "nvidia.json").write_text(json.dumps(spec))


def asked(case):
    """Options of `podman run` for a case."""
    script = HOME / "script"
    script.write_text(f"sms = 2\n{case.script}\n")
    devices = [f"cudacheck.test/kernel={case.kernel}"] if case.kernel else []
    devices += [f"nvidia.com/gpu={case.gpus}"] if case.gpus else []
    given = [word for device in devices for word in ("--device", device)]
    return [*given, "-v", f"{script}:/etc/fake-gpu:ro", *case.options]


def judge(output):
    """Status, verdict and first id of a report, and this finding as JSON."""
    try:
        report = json.loads(output.stdout)
    except ValueError:
        return None, f"status {output.returncode}: {output.stderr.strip()[-400:]}"
    found = report["findings"]
    return (output.returncode, report["verdict"], found[0]["id"] if found else None), json.dumps(found[:1])


def check(podman, case):
    """Yields what is wrong with the result of a case."""
    specify(case)
    output = podman.run(case.image, *case.command, options=asked(case))
    if case.verdict == "refused":
        if output.returncode not in (125, 126, 127) or case.words[0] not in output.stderr:
            yield f"status {output.returncode}, '{case.words[0]}' is missing: {output.stderr.strip()}"
        if case.first:
            text = subprocess.run([BINARY, "explain", case.first], capture_output=True, text=True).stdout
            if case.words[0] not in " ".join(text.split()):
                yield f"explain {case.first} does not quote '{case.words[0]}'"
        return
    seen, found = judge(output)
    expected = (0 if case.verdict == "verified" else 1, case.verdict, case.first)
    if seen != expected:
        yield f"{seen} instead of {expected}: {found}"
    elif lacking := [word for word in case.words if word not in found]:
        yield f"{lacking} are missing: {found}"


def check_loss(podman):
    """The container loses access at run time, as after `systemctl daemon-reload`."""
    case = Case("")
    specify(case)
    name = f"{GROUP}-loss"
    output = podman.run("debian", "/bin/sleep", "600", options=["-d", "--name", name, *asked(case)])
    if output.returncode:
        yield f"the container does not start: {output.stderr.strip()}"
        return
    seen, found = judge(podman("exec", name, *VERIFY))
    if seen != (0, "verified", None):
        yield f"{seen} before: {found}"
    device = os.stat("/dev/nvidiactl").st_rdev
    for rules in Path("/sys/fs/cgroup/devices", GROUP).rglob("devices.deny"):
        rules.write_text(f"c {os.major(device)}:{os.minor(device)} rw")
    asked(Case("", script=DENIED))
    seen, found = judge(podman("exec", name, *VERIFY))
    if seen != (1, "failed", "launch.device-denied") or "EPERM" not in found:
        yield f"{seen} afterwards: {found}"


# --- preparation -------------------------------------------------------------------------------------------


def build_fakes(home):
    """As tests/fakes/README.md says."""
    (home / "fakes").mkdir()
    for name, source in FAKES.items():
        linker = f"-Wl,-soname,{name}"
        if name == "libcublas.so.12":
            linker += f" -Wl,-rpath,$ORIGIN -Wl,--no-as-needed {home}/fakes/libcublasLt.so.12"
        subprocess.run(["rustc", "--edition", "2024", "--crate-type", "cdylib", "-C", "opt-level=3", "-C", "panic=abort",
                        "-C", "strip=debuginfo", "-C", f"link-args={linker}", "-o", home / "fakes" / name,
                        HERE.parent / f"fakes/{source}.rs"], check=True)
    return home / "fakes"


def prepare(binary, fakes):
    """Prepares the driver and kernel files of the host, and the roots of the images."""
    shutil.copy(HERE / "cdi_hook.py", HOME)
    for folder in "driver", "images":
        (HOME / folder).mkdir()
    for image in "debian", "musl":
        root = HOME / "images" / image
        subprocess.run(["cp", "-a", PARTS / image, root], check=True)
        (root / "usr/local/bin").mkdir(parents=True, exist_ok=True)
        shutil.copy(binary, root / "usr/local/bin/cudacheck")
    for name in FAKES:
        of_image = HOME / f"images/debian{SYSTEM}"
        shutil.copy(fakes / name, HOME / "driver" / OF_DRIVER[name] if name in OF_DRIVER else of_image)
    for soname, name in OF_DRIVER.items():
        (HOME / "driver" / soname).symlink_to(name)
    # An image with a driver installed in it.
    subprocess.run(["cp", "-al", HOME / "images/debian", HOME / "images/baked"], check=True)
    for name in os.listdir(HOME / "driver"):
        shutil.copy(HOME / "driver" / name, HOME / f"images/baked{SYSTEM}", follow_symlinks=False)
    major = os.major(os.stat("/dev/fuse").st_rdev)
    heading = "Character devices:\n"
    devices = Path("/proc/devices").read_text().replace(heading, f"{heading}{major:3} nvidia\n{major:3} nvidia-uvm\n", 1)
    for version in DRIVER, NEWER:
        folder = HOME / "kernel" / version / "nvidia"
        folder.mkdir(parents=True)
        (folder / "version").write_text(
            f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Tue Mar  5 22:23:56 UTC 2024\n")
        (folder / "params").write_text("RmProfilingAdminOnly: 0\n")
        (folder.parent / "devices").write_text(devices)
    # Refuses memfd_create, as hardened profiles do.
    (HOME / "seccomp.json").write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["memfd_create"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}))


def missing(binary):
    for program in "podman", "unshare", "setpriv", "ldconfig":
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            yield program
    if not (shutil.which("crun") or shutil.which("runc")):
        yield "crun or runc"
    if os.geteuid():
        yield "root"
    if not Path("/dev/fuse").is_char_device():
        yield "/dev/fuse (modprobe fuse)"
    if not binary.is_file():
        yield f"{binary}"
    for part in "debian", "musl":
        if not (PARTS / part).is_dir():
            yield f"{PARTS / part} (tests/real/parts.sh {part})"


def isolate():
    """Restarts this program in a new mount namespace."""
    environment = {**os.environ, INSIDE: "1"}
    os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv], environment)


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def furnish(directory):
    """Sets up /dev with the nodes of two GPUs, and /run and /etc/cdi without specifications."""
    for folder in "/run", "/etc/cdi":
        if Path(folder).is_dir():
            mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", folder)
    HOME.mkdir()
    mount("--bind", directory, HOME)
    HOME.chmod(0o755)
    fresh = HOME / "dev"
    fresh.mkdir()
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", fresh)
    stand_in = os.stat("/dev/fuse").st_rdev
    numbers = {name: os.stat(f"/dev/{name}").st_rdev for name in ("null", "zero", "full", "random", "urandom", "tty", "fuse")}
    numbers.update({name: stand_in for name in NODES})
    for name, number in numbers.items():
        os.mknod(fresh / name, 0o020666, number)
        (fresh / name).chmod(0o666)
    for name, target in ("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"):
        (fresh / name).symlink_to(target)
    for name in "pts", "shm", "mqueue":
        (fresh / name).mkdir()
        if Path("/dev", name).is_dir():
            mount("--rbind", f"/dev/{name}", fresh / name)
    mount("--move", fresh, "/dev")


def clean(podmans):
    for podman in podmans:
        podman.clean()
    # Podman keeps its storage mounted.
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in reversed([point for point in points if point.startswith(f"{HOME}/")]):
        subprocess.run(["umount", point])
    for group in sorted(Path("/sys/fs/cgroup").glob(f"**/{GROUP}/**/"), key=lambda path: -len(path.parts)):
        group.rmdir()


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    lacking = list(missing(Path(sys.argv[1])))
    if lacking:
        sys.exit("cdi.py needs: " + ", ".join(lacking))
    if INSIDE not in os.environ:
        isolate()
    passed = failed = 0

    def tell(case, faults):
        nonlocal passed, failed
        faults = list(faults)
        passed, failed = passed + (not faults), failed + bool(faults)
        print("FAIL" if faults else "ok", case.name if case.verdict != "refused" else f"refused: {case.name}", flush=True)
        for fault in faults:
            print("   ", fault)

    # Not in /tmp, which may be mounted with nodev.
    with tempfile.TemporaryDirectory(dir=PARTS, prefix="cdi-") as directory:
        fakes = Path(sys.argv[2]).resolve() if len(sys.argv) == 3 else None
        binary = Path(sys.argv[1]).resolve()
        furnish(directory)
        podman, rootless = podmans = [Podman(), Podman("65534")]
        try:
            prepare(binary, fakes or build_fakes(HOME))
            for image in "debian", "musl", "baked":
                podman.import_image(image)
            rootless.import_image("debian")
            runtime = podman.choose_runtime()
            version = podman("--version").stdout.strip()
            print(f"{version}, {runtime}")
            for each in podmans:
                each.arguments += ["--runtime", runtime]
            for case in cases(" 4." in version):
                tell(case, check(podman, case))
            if Path("/sys/fs/cgroup/devices/devices.deny").exists():
                tell(Case("the container loses access to the device nodes"), check_loss(podman))
            else:
                print("not run: the container loses access to the device nodes (needs version 1 control groups)")
            for case in ROOTLESS:
                for name in NODES:  # rootless podman mounts the host's nodes
                    os.chown(f"/dev/{name}", 0, VIDEO)
                    os.chmod(f"/dev/{name}", 0o666 if case.verdict == "verified" else 0o660)
                tell(case, check(rootless, case))
        finally:
            clean(podmans)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
