"""Shared by the groups: calls of the binary, what they leave behind, growth as a slope, and results."""

import math
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import isolation

# Seconds after its own deadline until a call counts as hanging.
PATIENCE = 5.0
# Seconds until everything that a call started has ended, even if the call was killed.
CLEAN = 1.0


# --- verdicts ----------------------------------------------------------------------------------------

class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, why):
        """Passes if `why` is empty."""
        if why:
            self.fail(name, why)
        else:
            self.passed += 1
            print(f"ok {name}", flush=True)

    def fail(self, name, why):
        self.failed += 1
        print(f"FAIL {name}: {why}", flush=True)

    def collected(self, name, complaints, shown=5):
        """One result for many observations."""
        more = f" ... and {len(complaints) - shown} more" if len(complaints) > shown else ""
        self.check(name, "; ".join(complaints[:shown]) + more)


def trace(error):
    traceback.print_exception(error)


# --- background --------------------------------------------------------------------------------------

def background(work, *arguments):
    """Runs `work` in a new process."""
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=lambda: send.send(work(*arguments)))
    process.start()
    send.close()
    return process, receive


def result(started):
    """Waits for the result of background work, and cleans up."""
    process, receive = started
    with receive:
        value = receive.recv()
    process.join()
    process.close()
    return value


# --- calls -------------------------------------------------------------------------------------------

@dataclass
class Outcome:
    status: int | None  # None: still running
    out: str
    err: str
    seconds: float
    cpu: float

    def __str__(self):
        said = " ".join((self.out + self.err).split())
        return f"status {self.status} after {self.seconds:.2f} s: '{said[:240]}'"


class Machine:
    """The binary and a fake machine, controlled by script files."""

    def __init__(self, home):
        self.home, self.binary = home, home / "cudacheck"
        self.environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(home / "fakes"), "FAKE_GPU": self.script("", "healthy")}

    def script(self, text, name=None):
        """Writes or atomically replaces a script for the fakes."""
        name = name or re.sub(r"\W+", "-", text)
        path, fresh = self.home / f"script-{name}", self.home / "fresh"
        fresh.write_text(text + "\n")
        fresh.rename(path)
        return str(path)

    def start(self, *arguments, script=None, before=None, wrapper=(), **options):
        """Starts a call. `before` runs in the new process; `wrapper` is a command that executes the binary."""
        environment = self.environment if script is None else dict(self.environment, FAKE_GPU=script)
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen([*wrapper, self.binary, *arguments], env=environment, preexec_fn=before, **options)

    def call(self, *arguments, limit=10.0, **options):
        """Runs a call to its end. The time is from before fork to the end of its streams, as the caller sees it."""
        before, start = cpu_of_children(), time.perf_counter()
        return end(self.start(*arguments, **options), start, limit + PATIENCE, before)

    def is_right(self, level="driver"):
        """What is wrong with a call on a healthy machine, or an empty string."""
        return not_healthy(self.call("health", "--level", level))


def cpu_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def end(process, start, limit, before=0.0):
    """Waits for a call and for the end of its streams: a process that keeps them open would block the caller."""
    try:
        out, err = process.communicate(timeout=max(0.1, limit - (time.perf_counter() - start)))
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        out, err, status = b"", b"", None
    text = [stream.decode(errors="replace") if stream else "" for stream in (out, err)]
    return Outcome(status, *text, time.perf_counter() - start, cpu_of_children() - before)


def not_healthy(outcome):
    right = outcome.status == 0 and outcome.out.startswith("healthy: ") and not outcome.err
    return "" if right else f"not healthy: {outcome}"


def not_unhealthy(outcome, *words):
    first = outcome.out.partition("\n")[0]
    right = (outcome.status == 1 and first.startswith("unhealthy: ") and " -> " in first
             and all(word in first for word in words) and len(outcome.out) <= 4096 and not outcome.err)
    return "" if right else f"not unhealthy for {' '.join(words)}: {outcome}"


def unclear(outcome, causes, heard=True):
    """What is wrong with a call that lacks some resource on a healthy machine. It must report healthy, or fail with one
    line that names the cause. `heard`: its output was read."""
    if outcome.status is None:
        return "hangs"
    if "panicked" in outcome.out + outcome.err:
        return f"panics: {outcome}"
    if outcome.status < 0:
        return f"killed by {signal.Signals(-outcome.status).name}: {outcome}"
    if outcome.status == 0:
        return "" if outcome.out.startswith("healthy: ") or not heard else f"success without a verdict: {outcome}"
    if outcome.status != 1:
        return f"exit status is neither 0 nor 1: {outcome}"
    first = outcome.out.partition("\n")[0]
    verdict = first if first.startswith("unhealthy: ") else ""
    if not outcome.out and outcome.err.count("\n") == 1 and outcome.err.startswith("cudacheck: "):
        verdict = outcome.err
    if not verdict:
        return f"no verdict: {outcome}"
    return "" if re.search(causes, verdict, re.IGNORECASE) else f"the line does not name the cause ({causes}): {outcome}"


# --- what is left behind -----------------------------------------------------------------------------

def processes():
    """Name, state and parent of all processes, by PID."""
    seen = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                head, rest = Path(f"/proc/{entry}/stat").read_text().rsplit(") ", 1)
            except OSError:
                continue
            state, parent = rest.split()[:2]
            seen[int(entry)] = (head.partition("(")[2], state, int(parent))
    return seen


def files():
    """All files below the temporary directories, except this program's own."""
    found = {os.path.join(place, name) for top in isolation.TEMPORARY for place, below, names in os.walk(top) for name in below + names}
    return {path for path in found if not Path(path).is_relative_to(isolation.HOME)}


def sockets():
    lines = Path("/proc/net/unix").read_text().splitlines()
    return [line.split()[-1] for line in lines if "@cudacheck." in line]


def descriptors(pid="self"):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Traces:
    """Records what exists, and later reports what was added, except children of the process `ignored`."""

    def __init__(self, ignored=None):
        self.ignored = ignored
        self.processes, self.files, self.descriptors = set(processes()), files(), descriptors()

    def left(self):
        found = [f"process {pid} ({name}, {state})" for pid, (name, state, parent) in processes().items()
                 if pid not in self.processes and parent != self.ignored]
        found += [f"file {path}" for path in files() - self.files] + [f"socket {name}" for name in sockets()]
        surplus = descriptors() - self.descriptors
        return found + ([f"{surplus} descriptors of the caller"] if surplus > 0 else [])

    def after(self, seconds=CLEAN):
        """Waits until nothing is left; returns what is left after this time."""
        until = time.monotonic() + seconds
        while (left := self.left()) and time.monotonic() < until:
            time.sleep(0.005)
        return "left behind: " + ", ".join(left) if left else ""


# --- growth ------------------------------------------------------------------------------------------

def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, math.ceil(share * len(values)) - 1)]


def spread(seconds):
    """p50, p99 and the largest, in milliseconds."""
    p50, p99 = percentile(seconds, 0.5), percentile(seconds, 0.99)
    return f"p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, max {max(seconds) * 1e3:.1f} ms, {len(seconds)} measured"


def slope(points):
    """Slope by least squares, and its standard error."""
    count = len(points)
    if count < 3:
        return 0.0, math.inf
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    width = sum((x - mean_x) ** 2 for x, _ in points)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in points) / width
    rest = sum((y - mean_y - rise * (x - mean_x)) ** 2 for x, y in points)
    return rise, math.sqrt(rest / (count - 2) / width)


class Growth:
    """Resources over time or calls. Without an allowance a resource must not grow at all. With one, it fails if it
    certainly grows faster: if the slope minus two standard errors is above the allowance."""

    def __init__(self, per):
        self.per, self.rows = per, {}

    def add(self, x, resource_, unit, value, allowance=0.0):
        self.rows.setdefault((resource_, unit, allowance), []).append((x, value))

    def judge(self, report, group, warm=0):
        """Prints and checks the slopes, without the first `warm` points."""
        print(f"{'resource':<34}{'unit':<9}{'first':>11}{'last':>11}   slope per {self.per} (two standard errors)")
        verdicts = []
        for (name, unit, allowance), points in self.rows.items():
            points = points[warm:]
            rise, error = slope(points)
            if not points:
                continue
            print(f"{name:<34}{unit:<9}{points[0][1]:>11.6g}{points[-1][1]:>11.6g}   {rise:+.4g} ± {2 * error:.2g}"
                  + (f", allowed {allowance:g}" if allowance else ""))
            grows = rise - 2 * error > allowance if allowance else rise > 1e-9
            verdicts.append((f"{group}: no growth of {name}", f"by {rise:.4g} {unit} per {self.per}" if grows else
                             "too few points for a slope" if math.isinf(error) else ""))
        for name, why in verdicts:
            report.check(name, why)
