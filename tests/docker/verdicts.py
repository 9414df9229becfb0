"""What is expected of cudacheck in a box, and how it is told: judgements are generators of what is wrong."""

import os
import threading
import time
from dataclasses import dataclass
from itertools import islice

from box import FUSE, HEALTHY, until

# What Docker keeps of a check.
KEPT = 4096
# Beyond a deadline: what the engine and a machine with other work take to start a process and to tell its end.
SLACK = 2

tally = {"ok": 0, "FAIL": 0}
telling = threading.Lock()


def check(name, case, *arguments):
    """Runs one case, and tells what is wrong with it."""
    start = time.monotonic()
    try:
        # Cases go on after a fault. A few are enough: each may have cost its limit of time.
        faults = list(islice(case(*arguments), 4))
    except Exception as error:  # The next case is to be run all the same.
        faults = [f"{type(error).__name__}: {error}"]
    with telling:
        tally["FAIL" if faults else "ok"] += 1
        took = f"({time.monotonic() - start:.1f} s)"
        print(f"FAIL {name}: {'; '.join(faults)} {took}" if faults else f"ok {name} {took}", flush=True)


def skip(what, why):
    print(f"not run: {what}, which needs {why}", flush=True)


def takes_nodes_away(box):
    """As when systemd sets up its units anew: the device cgroup forbids the nodes. False where that cannot be done."""
    rules = box.group("devices") / "devices.deny"
    if not rules.exists():
        skip("nodes that are taken away", "control groups of version 1")
        return False
    rules.write_text(f"c {os.major(FUSE)}:{os.minor(FUSE)} rw")
    box.put("nvmlInit_v2 = 999\ncuInit = 100")
    return True


# --- an answer ---------------------------------------------------------------------------------------------------


def wrong(answer, healthy):
    """What is wrong with a health check that had to come to this verdict."""
    yield from unclear(answer)
    if answer.status != (0 if healthy else 1):
        yield f"it should be {'healthy' if healthy else 'unhealthy'}: {answer}"


def unclear(answer):
    """Any verdict will do, if it is a verdict: one of two words, and the status that goes with it."""
    start = {0: "healthy: ", 1: "unhealthy: "}.get(answer.status)
    if start is None or not answer.line.startswith(start):
        yield f"neither verdict nor clear failure: {answer}"
    if len(answer.out.encode()) > KEPT or answer.error:
        yield f"{len(answer.out.encode())} bytes, and on standard error: {answer.error[:300]!r}"
    yield from panics(answer)


def panics(answer):
    if "panicked" in answer.out + answer.error:
        yield f"a panic: {answer}"


# --- a box -------------------------------------------------------------------------------------------------------


def well(box):
    """A machine that is well is said to be well."""
    for level in "nvml", "driver":
        yield from wrong(box.health(level), healthy=True)


def nothing_left(box, zombies=False):
    left = box.left(zombies) + box.shown()
    if left:
        yield f"left behind: {', '.join(left)}"
        # It is told once.
        box.before.update(each.pid for each in box.new())


def settles(box, zombies=False):
    """Where checks go on, one moment without any is enough."""
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
    # Id of the finding that leads, by level; a level without one does not notice.
    driver: str = None
    nvml: str = None
    # What the first line must tell.
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
    Failure("cuInit 4242, which nobody knows", "cuInit = 4242", "driver.init", words="4242"),
    everywhere("the module is newer than the libraries", "nvmlInit_v2 = 18\ncuInit = 803", "node.driver-mismatch"),
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
    Failure("cuInit hangs, deaf to SIGTERM", "cuInit = hang-ignoring-term", "probe.hung", words="cuInit", timeout="1s"),
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
            yield f"level {level} does not tell {failure.words}: {answer.line}"
        report = box.verify(level, failure.timeout)
        if report.first != expected:
            yield f"level {level}: {report.first} instead of {expected}"
    box.put(HEALTHY)
    yield from well(box)
    yield from nothing_left(box)
