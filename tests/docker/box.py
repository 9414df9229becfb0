"""Containers of docker or podman, the machine that each takes itself to be in, and what is left in them.

A box is a container with the fake libraries, whose script the host rewrites while it runs, and with stand-ins for
the driver's nodes. Here is how boxes are made, asked, looked into and cleared away; what is expected of them is
in health.py.
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
# The driver's own libraries come from the host, as a container toolkit mounts them.
OF_DRIVER = ("libcuda.so.1", "libnvidia-ml.so.1")
NODES = ("nvidiactl", "nvidia0", "nvidia1", "nvidia-uvm")
# A device that opens, and that no container may open that was not given it.
FUSE = os.makedev(10, 229)
HEALTHY = "gpus = 2"
# What engines start beside a container and in it.
OF_ENGINES = ("runc", "crun", "conmon", "containerd-shim", "docker-init")


def until(condition, seconds=10, pause=0.05):
    """Asks until the answer is true or time is up; the last answer."""
    end = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < end:
        time.sleep(pause)
    return answer


class Answer:
    """What a command said, how it ended and how long it took."""

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
        """Id of the finding that leads, where one is graver than a warning."""
        grave = [each["id"] for each in self.report["findings"] if each["severity"] in ("error", "unknown")]
        return grave[0] if grave else None


class Running:
    """A command that runs by itself."""

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
            raise AssertionError(f"it did not return within {seconds} s: {said}") from None
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
        """From a directory, and the files of another one that it has not."""
        out = [f"--exclude=./{path}/*" for path in ("proc", "sys", "dev", "var/lib/apt/lists", "var/cache/apt")]
        folders = ["-C", root, "."]
        if overlay:
            folders += ["-C", overlay, *(path.relative_to(overlay) for path in overlay.rglob("*") if path.is_file())]
        with subprocess.Popen(["tar", "-c", *out, *folders], stdout=subprocess.PIPE) as archive:
            command = [*self.base, "import", "-", f"{self.prefix}:{name}"]
            subprocess.run(command, stdin=archive.stdout, capture_output=True, check=True, env=self.environment)

    def watch(self, name, program, kind=()):
        """An image of its own that has a health check, in the form that needs no shell."""
        folder = self.work / "context"
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(
            f'FROM {self.prefix}:{name}\nHEALTHCHECK --interval=30s --timeout=8s CMD ["{program}", "health"]\n')
        command = [*self.base, "build", "-q", *kind, "-t", f"{self.prefix}:watched-{name}", folder]
        subprocess.run(command, check=True, capture_output=True, env={**self.environment, "DOCKER_BUILDKIT": "0"})

    def remove(self, *boxes):
        return self("rm", "-f", *boxes)

    def top(self, name):
        """Lines of host's pid, state and name, as the engine tells them."""
        return self.must("top", name, "-eo", "pid,stat,comm").splitlines()[1:]

    def clean(self):
        boxes = self("ps", "-aq", "--filter", f"name={self.prefix}").out.split()
        if boxes:
            self.remove(*boxes)
        # Before the images that they were built on.
        images = self("images", "--format", "{{.Repository}}:{{.Tag}}", self.prefix).out.split()
        for image in sorted(images, key=lambda image: ":watched-" not in image):
            self("rmi", "-f", image)


class Podman(Engine):
    """With a storage of its own; health checks are run by hand, for want of systemd's timers."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        home = self.work / "podman"
        self.base = ["podman", "--root", home / "storage", "--runroot", home / "run", "--cgroup-manager", "cgroupfs"]
        # The defaults raise both limits, which root itself may not in every sandbox.
        self.arguments = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096", "--cgroup-parent",
                          f"/{self.prefix}"]
        self.environment["DISABLE_HC_SYSTEMD"] = "true"

    def choose_runtime(self):
        """crun does not start where cgroups of both versions are mounted, and runc is not everywhere else."""
        said = []
        for runtime in filter(shutil.which, ("crun", "runc")):
            options = ["--rm", "--network", "none", "--runtime", runtime, *self.arguments]
            answer = self("run", *options, f"{self.prefix}:machine", "true")
            if answer.status == 0:
                self.arguments += ["--runtime", runtime]
                return runtime
            said.append(f"{runtime}: {answer.error.strip()}")
        raise AssertionError("no container starts here. " + "; ".join(said))

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
        """By the name that a probe gives itself as soon as it runs."""
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
        # The script lies in a directory: a single file that is mounted could not be replaced in one step.
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
            # It has ended already; the case finds out by itself.
            self.groups = []
        self.before = self.beginning()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.engine.remove(self.name)

    def beginning(self):
        """Process 1, and behind an init process the command that it has started."""
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
        """As the engine sees it: its word, and the checks that it remembers."""
        health = self.inspect()["State"]["Health"]
        return health["Status"], health.get("Log") or []

    def group(self, controller):
        """Directory of the container's control group, of either version."""
        for line in self.groups:
            _, names, path = line.split(":", 2)
            if controller in names.split(","):
                return Path("/sys/fs/cgroup", controller + path)
        return Path("/sys/fs/cgroup" + self.groups[-1].split(":", 2)[2])

    # --- what is there

    def processes(self):
        """All that is in the container as the host sees it: zombies too, which no engine lists."""
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
        """What a check has left behind, when it has had time to go. Zombies may be of no account."""
        def remaining():
            files = [f"/{each}" for each in self.files() if "cudacheck" in each]
            return files + [str(each) for each in self.new() if not (zombies and each.state == "Z")]
        until(lambda: not remaining(), seconds)
        return remaining()

    def shown(self):
        """What the engine lists beyond what was there at the beginning, zombies left out."""
        lines = [line.split(None, 2) for line in self.engine.top(self.name)]
        return [name for pid, state, name in lines if not state.startswith("Z") and int(pid) not in self.before]

    def files(self):
        """In the directories where a check may put files."""
        for folder in "dev/shm", "tmp", "run", "var/tmp":
            path = Path(f"/proc/{self.pid}/root", folder)
            try:
                yield from (f"{folder}/{name}" for name in os.listdir(path))
            except OSError:
                continue
