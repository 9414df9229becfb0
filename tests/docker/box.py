"""Containers of Docker or podman, the fake machine in each, and what checks leave behind in them.

A box is a container with the fake libraries, whose script the host rewrites at run time, and with replacements for the
driver's device nodes. This module creates, queries, inspects and removes boxes; the expectations are in health.py.
"""

import itertools
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

SYSTEM = "/usr/lib/x86_64-linux-gnu"
BINARY = "/usr/local/bin/cudacheck"
# Mounted from the host, as the container toolkit does with the driver's libraries.
OF_DRIVER = ("libcuda.so.1", "libnvidia-ml.so.1")
NODES = ("nvidiactl", "nvidia0", "nvidia1", "nvidia-uvm")
# A device that exists, and that a container can only open if it was given to it.
FUSE = os.makedev(10, 229)
HEALTHY = "gpus = 2"
# Processes of engines next to a container and in it.
OF_ENGINES = ("runc", "crun", "conmon", "containerd-shim", "docker-init")


def until(condition, seconds=10, pause=0.05):
    """Calls `condition` until it is true or the time is over; returns the last value."""
    end = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < end:
        time.sleep(pause)
    return answer


class Answer:
    """Output, exit status and duration of a command."""

    def __init__(self, status, out, error, seconds):
        self.status, self.out, self.error, self.seconds = status, out, error, seconds
        self.line = out.split("\n", 1)[0]

    def __str__(self):
        return f"status {self.status} after {self.seconds:.1f} s: {self.line[:200]} {self.error.strip()[-300:]}"

    @property
    def report(self):
        try:
            return json.loads(self.out)
        except ValueError:
            raise AssertionError(f"no report, {self}") from None

    @property
    def first(self):
        """Id of the first error or unknown, if any."""
        grave = [each["id"] for each in self.report["findings"] if each["severity"] in ("error", "unknown")]
        return grave[0] if grave else None


class Running:
    """A command that runs in the background."""

    def __init__(self, command, **options):
        self.start = time.monotonic()
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, **options)

    def finish(self, seconds=60, send=None):
        try:
            out, error = self.process.communicate(send, timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, error = self.process.communicate()
            said = out.decode(errors="replace")[:200]
            raise AssertionError(f"no end within {seconds} s: {said}") from None
        out, error = out.decode(errors="replace"), error.decode(errors="replace")
        return Answer(self.process.returncode, out, error, time.monotonic() - self.start)


class Engine:
    def __init__(self, work, prefix, binary, fakes):
        self.work, self.prefix, self.binary, self.fakes = work, prefix, binary, fakes
        self.base, self.arguments, self.environment = ["docker"], [], dict(os.environ)
        self.numbers = itertools.count(1)

    def start(self, *command):
        return Running([*self.base, *map(str, command)], env=self.environment)

    def __call__(self, *command, seconds=60):
        return self.start(*command).finish(seconds)

    def must(self, *command):
        answer = self(*command)
        if answer.status:
            raise AssertionError(f"{' '.join(map(str, command[:2]))}: {answer}")
        return answer.out.strip()

    def import_image(self, name, root, overlay=None):
        """Imports a directory, with the files of `overlay` added."""
        out = [f"--exclude=./{path}/*" for path in ("proc", "sys", "dev", "var/lib/apt/lists", "var/cache/apt")]
        folders = ["-C", root, "."]
        if overlay:
            folders += ["-C", overlay, *(path.relative_to(overlay) for path in overlay.rglob("*") if path.is_file())]
        with subprocess.Popen(["tar", "-c", *out, *folders], stdout=subprocess.PIPE) as archive:
            command = [*self.base, "import", "-", f"{self.prefix}:{name}"]
            subprocess.run(command, stdin=archive.stdout, capture_output=True, check=True, env=self.environment)

    def watch(self, name, program, kind=()):
        """Builds an image with a HEALTHCHECK in exec form."""
        folder = self.work / "context"
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(
            f'FROM {self.prefix}:{name}\nHEALTHCHECK --interval=30s --timeout=8s CMD ["{program}", "health"]\n')
        command = [*self.base, "build", "-q", *kind, "-t", f"{self.prefix}:watched-{name}", folder]
        subprocess.run(command, check=True, capture_output=True, env={**self.environment, "DOCKER_BUILDKIT": "0"})

    def remove(self, *boxes):
        return self("rm", "-f", *boxes)

    def top(self, name):
        """Lines with PID on the host, state and name."""
        return self.must("top", name, "-eo", "pid,stat,comm").splitlines()[1:]

    def clean(self):
        boxes = self("ps", "-aq", "--filter", f"name={self.prefix}").out.split()
        if boxes:
            self.remove(*boxes)
        # Derived images first.
        images = self("images", "--format", "{{.Repository}}:{{.Tag}}", self.prefix).out.split()
        for image in sorted(images, key=lambda image: ":watched-" not in image):
            self("rmi", "-f", image)


class Podman(Engine):
    """Uses its own storage. Health checks are run explicitly, because there are no systemd timers."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        home = self.work / "podman"
        self.base = ["podman", "--root", home / "storage", "--runroot", home / "run", "--cgroup-manager", "cgroupfs"]
        # By default podman raises both limits, which even root cannot do in some sandboxes.
        self.arguments = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096", "--cgroup-parent",
                          f"/{self.prefix}"]
        self.environment["DISABLE_HC_SYSTEMD"] = "true"

    def choose_runtime(self):
        """crun does not start if cgroups of both versions are mounted; runc is not always installed."""
        said = []
        for runtime in filter(shutil.which, ("crun", "runc")):
            options = ["--rm", "--network", "none", "--runtime", runtime, *self.arguments]
            answer = self("run", *options, f"{self.prefix}:machine", "true")
            if answer.status == 0:
                self.arguments += ["--runtime", runtime]
                return runtime
            said.append(f"{runtime}: {answer.error.strip()}")
        raise AssertionError("no container starts: " + "; ".join(said))

    def remove(self, *boxes):
        return self("rm", "-f", "-t", "0", *boxes)

    def top(self, name):
        return self.must("top", name, "hpid", "state", "comm").splitlines()[1:]

    def clean(self):
        self("rm", "-fa", "-t", "0")
        self("rmi", "-fa")
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            if line.split()[1].startswith(f"{self.work}/podman/"):
                subprocess.run(["umount", line.split()[1]])
        for group in sorted(Path("/sys/fs/cgroup").glob(f"*/{self.prefix}/**/"), key=lambda path: -len(path.parts)):
            group.rmdir()


class Process:
    def __init__(self, entry):
        stat = (entry / "stat").read_text()
        self.pid, self.name = int(entry.name), stat[stat.index("(") + 1:stat.rindex(")")]
        self.state, parent = stat[stat.rindex(")") + 2:].split()[:2]
        self.parent = int(parent)

    def __str__(self):
        return f"{self.name} ({self.state})"

    @property
    def is_check(self):
        return self.name == "cudacheck"

    @property
    def is_probe(self):
        """By the name that probes set for themselves."""
        return self.name.startswith("cc") and "/" in self.name

    def end(self, signal):
        try:
            os.kill(self.pid, signal)
        except ProcessLookupError:
            pass


class Box:
    def __init__(self, engine, *command, image="machine", options=(), script=HEALTHY, network="none", machine=True):
        self.engine, self.name = engine, f"{engine.prefix}-{engine.base[0]}-{next(engine.numbers)}"
        self.folder = engine.work / self.name
        self.folder.mkdir()
        self.put(script)
        given = ["-v", f"{self.folder}:/fake", "--network", network, "--shm-size", "1g", *engine.arguments]
        if machine:
            for node in NODES:
                given += ["--device", f"{engine.work}/nodes/{node}:/dev/{node}"]
            for library in OF_DRIVER:
                given += ["-v", f"{engine.fakes}/{library}:{SYSTEM}/{library}:ro"]
        # Mount the directory: a mounted file could not be replaced atomically.
        given += ["-e", "FAKE_GPU=/fake/script"]
        program = command or ("sleep", "3600")
        engine.must("run", "-d", "--name", self.name, *given, *options, f"{engine.prefix}:{image}", *program)
        state = self.inspect()
        self.id, self.pid = state["Id"], state["State"]["Pid"]
        self.address = state["NetworkSettings"].get("IPAddress")
        self.has_init = bool(state["HostConfig"].get("Init"))
        self.namespace = f"/proc/{self.pid}/ns/pid"
        try:
            self.namespace = os.readlink(self.namespace)
            self.groups = Path(f"/proc/{self.pid}/cgroup").read_text().splitlines()
        except OSError:
            # It has ended already, which the case will notice.
            self.groups = []
        self.before = self.beginning()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.engine.remove(self.name)

    def beginning(self):
        """Process 1, and the command that an init process has started."""
        started = set()
        if self.has_init:
            started = until(lambda: {each.pid for each in self.processes() if each.parent == self.pid}, 2)
        return {self.pid, *started}

    # --- the machine

    def put(self, script):
        fresh = self.folder / "fresh"
        fresh.write_text(f"sms = 2\n{script}\n")
        self.folder.chmod(0o755)
        fresh.chmod(0o644)
        fresh.rename(self.folder / "script")

    # --- questions

    def exec(self, *command, seconds=60, options=()):
        return self.engine("exec", *options, self.name, *command, seconds=seconds)

    def start(self, *command, options=()):
        return self.engine.start("exec", *options, self.name, *command)

    def health(self, level="driver", timeout="5s", **options):
        return self.exec(BINARY, "health", "--level", level, "--timeout", timeout, **options)

    def start_health(self, level="driver", timeout="5s"):
        return self.start(BINARY, "health", "--level", level, "--timeout", timeout)

    def verify(self, level="driver", timeout="5s"):
        return self.exec(BINARY, "--level", level, "--timeout", timeout, "--format", "json")

    def inspect(self):
        return json.loads(self.engine.must("inspect", self.name))[0]

    def state(self):
        """The engine's health status and its log of recent checks."""
        health = self.inspect()["State"]["Health"]
        return health["Status"], health.get("Log") or []

    def group(self, controller):
        """Directory of the container's control group, version 1 or 2."""
        for line in self.groups:
            _, names, path = line.split(":", 2)
            if controller in names.split(","):
                return Path("/sys/fs/cgroup", controller + path)
        return Path("/sys/fs/cgroup" + self.groups[-1].split(":", 2)[2])

    # --- processes and files

    def processes(self):
        """All processes of the container, including zombies, which engines do not list."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if os.readlink(entry / "ns/pid") == self.namespace or self.id in (entry / "cgroup").read_text():
                    found.append(Process(entry))
            except OSError:
                continue
        return [each for each in found if not each.name.startswith(OF_ENGINES)]

    def new(self):
        return [each for each in self.processes() if each.pid not in self.before]

    def probes(self):
        return [each for each in self.new() if each.is_probe and each.state != "Z"]

    def left(self, zombies=False, seconds=5):
        """What checks have left behind after some seconds. `zombies`: without zombies."""
        def remaining():
            files = [f"/{each}" for each in self.files() if "cudacheck" in each]
            return files + [str(each) for each in self.new() if not (zombies and each.state == "Z")]
        until(lambda: not remaining(), seconds)
        return remaining()

    def shown(self):
        """Names of new processes that the engine lists, without zombies."""
        lines = [line.split(None, 2) for line in self.engine.top(self.name)]
        return [name for pid, state, name in lines if not state.startswith("Z") and int(pid) not in self.before]

    def files(self):
        """Files in the directories where a check may write."""
        for folder in "dev/shm", "tmp", "run", "var/tmp":
            path = Path(f"/proc/{self.pid}/root", folder)
            try:
                yield from (f"{folder}/{name}" for name in os.listdir(path))
            except OSError:
                continue
