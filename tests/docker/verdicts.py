"""Expectations for cudacheck in a box. Each check is a generator that yields what is wrong."""

import os
import threading
import time
from dataclasses import dataclass
from itertools import islice

from box import FUSE, HEALTHY, until

# Bytes that Docker keeps of a check's output.
KEPT = 4096
# Seconds beyond a deadline that the engine may need on a busy machine.
SLACK = 2

tally = {"ok": 0, "FAIL": 0}
printing = threading.Lock()


def check(name, case, *arguments):
    """Runs one case and prints its result."""
    start = time.monotonic()
    try:
        # A few faults are enough: each may have taken until a timeout.
        faults = list(islice(case(*arguments), 4))
    except Exception as error:  # the next case must run
        faults = [f"{type(error).__name__}: {error}"]
    with printing:
        tally["FAIL" if faults else "ok"] += 1
        took = f"({time.monotonic() - start:.1f} s)"
        print(f"FAIL {name}: {'; '.join(faults)} {took}" if faults else f"ok {name} {took}", flush=True)


def skip(what, why):
    print(f"not run: {what} (needs {why})", flush=True)


def takes_nodes_away(box):
    """As after `systemctl daemon-reload`: the device cgroup denies the nodes. Returns False if that is impossible."""
    rules = box.group("devices") / "devices.deny"
    if not rules.exists():
        skip("loss of access to device nodes", "version 1 control groups")
        return False
    rules.write_text(f"c {os.major(FUSE)}:{os.minor(FUSE)} rw")
    box.put("nvmlInit_v2 = 999\ncuInit = 100")
    return True


# --- an answer ---------------------------------------------------------------------------------------------------


def wrong(answer, healthy):
    """Checks the answer of a health check with a known verdict."""
    yield from unclear(answer)
    if answer.status != (0 if healthy else 1):
        yield f"not {'healthy' if healthy else 'unhealthy'}: {answer}"


def unclear(answer):
    """Checks that there is a verdict and that the exit status matches it."""
    start = {0: "healthy: ", 1: "unhealthy: "}.get(answer.status)
    if start is None or not answer.line.startswith(start):
        yield f"no verdict: {answer}"
    if len(answer.out.encode()) > KEPT or answer.error:
        yield f"{len(answer.out.encode())} bytes; standard error: {answer.error[:300]!r}"
    yield from panics(answer)


def panics(answer):
    if "panicked" in answer.out + answer.error:
        yield f"a panic: {answer}"


# --- a box -------------------------------------------------------------------------------------------------------


def well(box):
    """A healthy machine is reported as healthy."""
    for level in "nvml", "driver":
        yield from wrong(box.health(level), healthy=True)


def nothing_left(box, zombies=False):
    left = box.left(zombies) + box.shown()
    if left:
        yield f"left behind: {', '.join(left)}"
        # Report it only once.
        box.before.update(each.pid for each in box.new())


def settles(box, zombies=False):
    """While checks continue, one moment without leftovers is enough."""
    def quiet():
        return not [each for each in box.new() if not (zombies and each.state == "Z")]
    if not until(quiet, 10, 0.02):
        yield f"left behind: {', '.join(map(str, box.new()))}"


def fails_and_recovers(box):
    yield from well(box)
    box.put("nvmlInit_v2 = 18\ncuInit = 803")
    for level in "nvml", "driver":
        yield from wrong(box.health(level), healthy=False)
        answer = box.verify(level)
        if answer.first != "node.driver-mismatch":
            yield f"{answer.first} at level {level}"
    box.put(HEALTHY)
    yield from well(box)
    yield from nothing_left(box)


# --- failures ----------------------------------------------------------------------------------------------------


@dataclass
class Failure:
    name: str
    script: str
    # Id of the first finding, by level; none: this level does not notice the failure.
    driver: str = None
    nvml: str = None
    # Words that the first line must contain.
    words: str = ""
    timeout: str = "5s"

    def first(self, level):
        return self.driver if level == "driver" else self.nvml


def everywhere(name, script, first, **options):
    return Failure(name, script, first, first, **options)


FAILURES = [
    Failure("cuInit 999", "cuInit = 999", "node.uvm-wedged", words="rmmod nvidia_uvm"),
    Failure("cuInit 100", "cuInit = 100", "driver.init", words="CUDA_ERROR_NO_DEVICE"),
    Failure("cuInit 101", "cuInit = 101", "driver.init", words="CUDA_ERROR_INVALID_DEVICE"),
    Failure("cuInit 802", "cuInit = 802", "node.fabric", words="fabric"),
    Failure("cuInit 803", "cuInit = 803", "node.driver-mismatch"),
    Failure("cuInit 4242, an unknown code", "cuInit = 4242", "driver.init", words="4242"),
    everywhere("the kernel module is newer than the libraries", "nvmlInit_v2 = 18\ncuInit = 803", "node.driver-mismatch"),
    Failure("NVML 999", "nvmlInit_v2 = 999", nvml="driver.nvml-failed", words="NVML_ERROR_UNKNOWN"),
    Failure("NVML 15", "nvmlInit_v2 = 15", nvml="driver.nvml-failed", words="NVML_ERROR_GPU_IS_LOST"),
    Failure("NVML 4", "nvmlInit_v2 = 4", nvml="driver.nvml-failed", words="NVML_ERROR_NO_PERMISSION"),
    Failure("NVML 9", "nvmlInit_v2 = 9", nvml="driver.nvml-failed", words="NVML_ERROR_DRIVER_NOT_LOADED"),
    everywhere("one GPU of two is lost", "gpus = 2\ngpu.1.lost = 1", "driver.gpu-lost", words="GPU 1"),
    everywhere("the only GPU is lost", "gpus = 1\nlost = 1", "driver.gpu-lost", words="NVML_ERROR_GPU_IS_LOST"),
    Failure("no GPU is left", "gpus = 0", "driver.init", "probe.nothing-verified"),
    Failure("cuInit crashes", "cuInit = segv", "probe.crashed", words="SIGSEGV"),
    Failure("cuInit aborts", "cuInit = print:assertion failed,abort", "probe.crashed", words="SIGABRT"),
    everywhere("NVML crashes", "nvmlInit_v2 = segv", "probe.crashed", words="nvmlInit_v2"),
    Failure("cuInit ends the process", "cuInit = exit", "probe.ended-early", words="status 0"),
    everywhere("NVML ends the process", "nvmlInit_v2 = exit:7", "probe.ended-early", words="status 7"),
    Failure("cuInit hangs", "cuInit = hang", "probe.hung", words="cuInit", timeout="1s"),
    Failure("cuInit hangs and ignores SIGTERM", "cuInit = hang-ignoring-term", "probe.hung", words="cuInit", timeout="1s"),
    everywhere("NVML hangs", "nvmlInit_v2 = hang-ignoring-term", "probe.hung", words="nvmlInit_v2", timeout="1s"),
    everywhere("one GPU hangs in NVML", "gpus = 2\ngpu.1.nvmlDeviceGetUUID = hang", "probe.hung",
               words="nvmlDeviceGetUUID", timeout="1s"),
    everywhere("a flood of output", "cuInit = flood\nnvmlInit_v2 = flood", None),
    everywhere("a library leaves a process behind", "cuInit = fork\nnvmlInit_v2 = fork", None),
    Failure("a process is left behind, and cuInit fails", "cuInit = fork,802", "node.fabric"),
    Failure("a process is left behind, and cuInit crashes", "cuInit = fork,segv", "probe.crashed"),
]
# One of each kind.
KINDS = list({(failure.driver, failure.nvml): failure for failure in reversed(FAILURES)}.values())


def check_failure(box, failure):
    box.put(failure.script)
    for level in "nvml", "driver":
        expected = failure.first(level)
        answer = box.health(level, failure.timeout)
        yield from wrong(answer, healthy=expected is None)
        if expected and failure.words not in answer.line:
            yield f"level {level}: '{failure.words}' is missing: {answer.line}"
        report = box.verify(level, failure.timeout)
        if report.first != expected:
            yield f"level {level}: {report.first} instead of {expected}"
    box.put(HEALTHY)
    yield from well(box)
    yield from nothing_left(box)
