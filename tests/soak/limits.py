"""Calls that lack a resource: processes, descriptors, streams, memory, CPU time, /proc, writable files.

The fake machine is healthy. So each call must report `healthy`, or exit with 1 and one line that names the missing
resource; it must never panic, be killed by a signal, or hang. It leaves nothing behind, and the next call is right.
Limits are raised from nothing; with enough of the resource the verdict must be `healthy`.
"""

import http.client
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

import isolation
import measure

# A user without other processes.
NOBODY = 54321
PORT = 9476

PROCESSES = r"process|thread|temporarily unavailable|EAGAIN"
DESCRIPTORS = r"descriptor|open (any )?(more )?files|too many"
# `failed to map segment` is the loader's error if there is not enough address space.
MEMORY = r"memory|failed to map segment|SIGKILL"
SIZE = r"too large|too big|file.size|size of files"
OUTPUT = r"output|stdout|write|writ|no space|broken pipe"
WITHOUT_PROC = r"/proc|start|read-only|executable"


def run(machine, report, options):
    suite = Suite(machine, report)
    suite.full_process_table()
    suite.streams()
    suite.few_descriptors()
    suite.small_files()
    suite.little_memory()
    suite.little_time()
    suite.without_proc_or_disk()
    suite.servers()


class Suite:
    def __init__(self, machine, report):
        self.machine, self.report = machine, report

    def try_once(self, causes, level, script=None, **options):
        """Runs one call; returns what is wrong, whether it was healthy, and its outcome."""
        traces = measure.Traces()
        outcome = self.machine.call("health", "--level", level, script=script, **options)
        complaints = [measure.unclear(outcome, causes, heard="stdout" not in options), traces.after(), self.machine.is_right()]
        return "; ".join(filter(None, complaints)), outcome.status == 0, outcome

    def sweep(self, name, causes, values, before, level="driver", **options):
        """Runs calls with increasing limits. `before` takes a value and returns what the new process does first."""
        wrong, passing = {}, []
        for value in values:
            why, healthy, _ = self.try_once(causes, level, before=before(value), **options)
            if why:
                # Merge faults that differ only in numbers.
                wrong.setdefault(re.sub(r"[\d.]+", "", why), (why, []))[1].append(str(value))
            if healthy:
                passing.append(value)
        enough = f"healthy from {passing[0]} on" if passing else "never healthy"
        complaints = [f"with {', '.join(some)}: {why}" for why, some in wrong.values()]
        self.report.collected(f"limits: {name} from {values[0]} to {values[-1]} ({enough})", complaints)
        if values[-1] not in passing:
            self.report.fail(f"limits: {name}: {values[-1]} is enough", "not healthy")

    def case(self, name, causes, healthy=False, level="driver", **options):
        """Runs one call, which must be healthy if `healthy`."""
        why, was_healthy, outcome = self.try_once(causes, level, **options)
        if not why and healthy and not was_healthy:
            why = f"not healthy: {outcome}"
        said = "healthy" if was_healthy else f"failure: {(outcome.out or outcome.err).partition(' -> ')[0].strip()}"
        self.report.check(f"limits: {name} ({said})", why)

    # --- the cases -----------------------------------------------------------------------------------

    def full_process_table(self):
        def as_user(value):
            def before():
                resource.setrlimit(resource.RLIMIT_NPROC, (value, value))
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            return before
        # The kernel does not count the process that starts the program: with 0 it can still run.
        self.sweep("processes of a user", PROCESSES, range(0, 21), as_user)
        group = isolation.group("pids", "pids")
        if not group:
            return print("not measured: a full process table by control group (no version 1 pids controller)")

        def in_group(value):
            (group / "pids.max").write_text(str(value))
            return lambda: isolation.join(group)
        self.sweep("processes of a control group", PROCESSES, range(1, 21), in_group)
        isolation.remove(group)

    def streams(self):
        for closed in ((0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)):
            def before(closed=closed):
                for stream in closed:
                    os.close(stream)
            names = " and ".join(("stdin", "stdout", "stderr")[stream] for stream in closed)
            traces = measure.Traces()
            outcome = self.machine.call("health", before=before)
            # Without streams, the exit status is the verdict.
            why = "panicked" in outcome.err and str(outcome) or "" if outcome.status == 0 else str(outcome)
            self.report.check(f"limits: {names} closed", "; ".join(filter(None, [why, traces.after(), self.machine.is_right()])))
        with open("/dev/full", "w") as full, open("/dev/null", "w") as null:
            self.case("/dev/full as stdout", OUTPUT, stdout=full)
            self.silent("/dev/full as stdout and stderr", stdout=full, stderr=full)
            self.silent("/dev/full as stdout, stderr closed", stdout=full, stderr=null, before=lambda: os.close(2))
        for name, streams in (("stdout", ("stdout",)), ("stdout and stderr", ("stdout", "stderr"))):
            read, write = os.pipe()
            os.close(read)
            options = dict.fromkeys(streams, write)
            if "stderr" in options:
                self.silent(f"{name} without a reader", **options)
            else:
                self.case(f"{name} without a reader", OUTPUT, **options)
            os.close(write)

    def silent(self, name, **options):
        """Runs one call without readable output: only its exit status is checked."""
        traces = measure.Traces()
        outcome = self.machine.call("health", **options)
        why = "" if outcome.status in (0, 1) else f"exit status is neither 0 nor 1: {outcome}"
        self.report.check(f"limits: {name}", "; ".join(filter(None, [why, traces.after(), self.machine.is_right()])))

    def few_descriptors(self):
        self.sweep("descriptors", DESCRIPTORS, [*range(3, 33), 64], lambda value: lambda: limit("RLIMIT_NOFILE", value))

    def small_files(self):
        self.sweep("size of files", SIZE, [0, 1, 4096, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24],
                   lambda value: lambda: limit("RLIMIT_FSIZE", value))
        path = self.machine.home / "output"
        with open(path, "w") as file:
            self.silent("file size 0, and a file as stdout", stdout=file, before=lambda: limit("RLIMIT_FSIZE", 0))
        path.unlink()

    def little_memory(self):
        least = next(value for value in range(1, 512) if self.runs_at_all(value << 20))
        print(f"the program starts with {least} MiB of address space")
        self.sweep("address space in MiB", MEMORY, [*range(least, least + 24), 64, 128, 256],
                   lambda value: lambda: limit("RLIMIT_AS", value << 20))
        group = isolation.group("memory", "oom", limit_in_bytes=32 << 20)
        if not group:
            return print("not measured: 32 MiB (no version 1 memory controller)")
        enter = lambda: isolation.join(group)
        self.case("32 MiB, level nvml", MEMORY, healthy=True, level="nvml", before=enter)
        self.case("32 MiB, level driver", MEMORY, healthy=True, before=enter)
        # In a small root, because the audit of this machine's root would need more memory.
        script = self.machine.script("sms = 2")
        self.case("32 MiB, level gemm", MEMORY, level="gemm", before=enter, script=script, wrapper=self.small_root())
        # A file in tmpfs cannot be reclaimed, and so limits the available memory.
        ballast = "/dev/shm/ballast"

        def leaves(value):
            write = f"rm -f {ballast}; head -c {32 - value}M /dev/zero >{ballast}"
            subprocess.run(["sh", "-c", write], preexec_fn=enter, check=True)
            return enter
        # The supervisor needs up to 3 MiB; with less, the kernel can only kill the supervisor.
        self.sweep("MiB left of 32", MEMORY, [4, 5, 6, 8, 12, 16], leaves)
        script = self.machine.script("gpus = 8\nsms = 2")
        self.sweep("MiB left of 32, 8 probes", MEMORY, [4, 6, 8, 12, 16, 24, 31], leaves, level="smoke", script=script)
        os.unlink(ballast)
        isolation.remove(group)

    def small_root(self):
        """A command that runs another one in a root that only has glibc and this test's directory."""
        root = self.machine.home / "root"
        for directory in ("dev", "proc", "tmp", str(self.machine.home)[1:]):
            (root / directory).mkdir(parents=True, exist_ok=True)
        listed = subprocess.run(["ldd", self.machine.home / "fakes/libcuda.so.1"], capture_output=True, text=True, check=True).stdout
        for file in re.findall(r"/\S+", listed) + ["/lib/x86_64-linux-gnu/libm.so.6"]:
            if os.path.exists(file):
                (root / file[1:]).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, root / file[1:])
        bind = f"mount --bind {self.machine.home} {root}{self.machine.home}; mount --rbind /proc {root}/proc; mount --rbind /dev {root}/dev"
        return ["unshare", "--mount", "sh", "-ec", f'{bind}; exec chroot {root} "$@"', "sh"]

    def runs_at_all(self, size):
        outcome = self.machine.call("--version", before=lambda: limit("RLIMIT_AS", size))
        return outcome.status == 0

    def little_time(self):
        group = isolation.group("cpu", "cpu", cfs_period_us=100000, cfs_quota_us=5000)
        if not group:
            return print("not measured: 5 % of a CPU (no version 1 cpu controller)")
        enter = lambda: isolation.join(group)
        for level in ("nvml", "driver", "smoke"):
            self.case(f"5 % of a CPU, level {level}", "a", healthy=True, level=level, before=enter, script=self.machine.script("sms = 2"))
        # The end of the call takes several periods of 5 ms CPU time each.
        traces = measure.Traces()
        hang = self.machine.script("cuInit = hang")
        outcome = self.machine.call("health", "--level", "driver", "--timeout", "1s", before=enter, script=hang)
        late = "" if outcome.seconds < 2 else f"after {outcome.seconds:.1f} s"
        why = [measure.not_unhealthy(outcome, "cuInit", "did not return"), late, traces.after(), self.machine.is_right()]
        self.report.check("limits: 5 % of a CPU, and a driver that hangs", "; ".join(filter(None, why)))
        isolation.remove(group)

    def without_proc_or_disk(self):
        no_proc = "mount -t tmpfs -o ro none /proc\n"
        read_only = "while read -r _ point _; do mount -o remount,bind,ro \"$point\" 2>/dev/null || :; done </proc/mounts\n"
        not_executable = "for point in /dev/shm /tmp /run /var/tmp; do mount -o remount,bind,noexec \"$point\"; done\n"
        for name, script, healthy in (
            ("without /proc", no_proc, False),
            ("everything read-only", read_only, True),
            ("without /proc, everything read-only", read_only + no_proc, False),
            ("without /proc, no executable file system", not_executable + no_proc, False),
        ):
            self.case(name, WITHOUT_PROC, healthy=healthy, wrapper=["unshare", "--mount", "sh", "-ec", script + 'exec "$@"', "sh"])


    def servers(self):
        """Cases of `serve`. Its port is free, because nothing else runs in this network namespace."""
        one_process = isolation.group("pids", "one", max=1)
        if one_process:
            self.server("one process", before=lambda: isolation.join(one_process), refused=PROCESSES)
            isolation.remove(one_process)
        with open("/dev/full", "w") as full:
            self.server("/dev/full as stderr", stderr=full)
        self.server("40 descriptors, and silent clients", before=lambda: limit("RLIMIT_NOFILE", 40), silent=64)

    def server(self, name, refused=None, silent=0, **options):
        """The server reports `healthy`, or refuses to start with a reason; after SIGKILL nothing is left."""
        traces = measure.Traces()
        process = self.machine.start("serve", "--listen", f"127.0.0.1:{PORT}", "--level", "driver", "--interval", "100ms", **options)
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=2)
        why = "" if refused else answers(connection)
        clients = [socket.socket() for _ in range(silent)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", PORT))
        for _ in range(5 if silent else 0):
            time.sleep(0.2)
            why = why or answers(connection)
        for client in [connection, *clients]:
            client.close()
        if not refused:
            process.kill()
        outcome = measure.end(process, time.perf_counter(), 3)
        if outcome.status not in ((1, 2) if refused else (-signal.SIGKILL,)) or refused and not re.search(refused, outcome.err):
            why = f"{why} {outcome}"
        self.report.check(f"limits: serve, {name}", "; ".join(filter(None, [why, traces.after()])))


def answers(connection):
    """What is wrong with a server that must report healthy within two seconds."""
    why, until = "", time.monotonic() + 2
    while time.monotonic() < until:
        try:
            connection.request("GET", "/readyz")
            said = connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException) as error:
            said = repr(error)
            connection.close()
        if said.startswith("healthy: "):
            return ""
        why = f"it answers '{said.strip()[:200]}'"
        time.sleep(0.05)
    return why


def limit(what, value):
    resource.setrlimit(getattr(resource, what), (value, value))
