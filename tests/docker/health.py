#!/usr/bin/env python3
"""Runs `health` and `serve` in containers of a real engine while the machine fails, hangs and recovers.

    health.py BINARY [FAKES] [--only GROUP]     needs docker, root, /dev/fuse, tests/real/parts.sh debian musl; the
                                                group podman needs podman and runc or crun. FAKES: directory of
                                                built fakes; without it rustc builds them

The images are made from the parts; no registry is used. The GPU libraries are the fakes, and the driver's device nodes
open /dev/fuse: this shows how checks behave in containers, but proves nothing about hardware. Prints a line for each
case; the last line is 'N passed, N failed'.

Process 1 of most containers is `sleep`, which reaps no children, like many applications. There, if the check itself is
killed, its probe is reparented to process 1 and remains a zombie; with an init process it does not.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import served
from box import BINARY, FUSE, HEALTHY, NODES, OF_DRIVER, SYSTEM, Box, Engine, Podman, until
from cdi import FAKES, PARTS, build_fakes
from verdicts import (FAILURES, KEPT, KINDS, SLACK, check, check_failure, fails_and_recovers, nothing_left, panics,
                      settles, skip, takes_nodes_away, tally, unclear, well, wrong)

UNPRIVILEGED = ["--user", "65534:65534", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
RIGHTS = {
    "uid 65534": ["--user", "65534:65534"],
    "a read-only root": ["--read-only"],
    "no capabilities": ["--cap-drop", "ALL"],
    "no new privileges": ["--security-opt", "no-new-privileges"],
    "64 MB of memory": ["--memory", "64m"],
    "20 processes": ["--pids-limit", "20"],
}
ALL_RIGHTS = [word for options in RIGHTS.values() for word in options]
# The root of the freezer hierarchy, outside of any container's group.
FREEZER = Path("/sys/fs/cgroup/freezer")


# --- roots and rights ------------------------------------------------------------------------------------------------


def images(docker):
    nodes = [word for node in NODES for word in ("--device", f"{docker.work}/nodes/{node}:/dev/{node}")]
    for image, name, with_nodes in [
        ("scratch", "only the binary", "image.no-glibc"),
        ("musl", "musl", "image.no-glibc"),
        ("machine", "Debian", "launch.libcuda-missing"),
    ]:
        check(name, check_image, docker, image, "launch.driver-not-loaded", [])
        check(f"{name}, with the device nodes of a GPU", check_image, docker, image, with_nodes, nodes)


def check_image(docker, image, first, options):
    program = BINARY if image == "machine" else "/cudacheck"

    def run(*arguments):
        start = ["run", "--rm", "--network", "none", "--name", f"{docker.prefix}-{image}", *options, *UNPRIVILEGED]
        return docker(*start, "--entrypoint", program, f"{docker.prefix}:{image}", *arguments)

    for level in "nvml", "driver":
        yield from wrong(run("health", "--level", level), healthy=False)
    answer = run("--level", "driver", "--format", "json")
    if answer.first != first:
        yield f"{answer.first} instead of {first}"


def rights(docker):
    for name, options in RIGHTS.items():
        check(name, check_rights, docker, options)
    check("all of these restrictions", check_rights, docker, ALL_RIGHTS)


def check_rights(engine, options):
    with Box(engine, options=options) as box:
        yield from fails_and_recovers(box)


# --- failures --------------------------------------------------------------------------------------------------------


def failures(docker):
    with Box(docker) as box:
        check("a healthy machine", well, box)
        for failure in FAILURES:
            check(failure.name, check_failure, box, failure)
    check("liveness, if recreating the container does not help", check_liveness, docker)
    check("the container loses access to the device nodes", check_denied, docker)


def check_liveness(docker):
    with Box(docker) as box:
        for failure in FAILURES:
            box.put(failure.script)
            options = ["--for", "liveness", "--level", "driver", "--timeout", failure.timeout]
            answer = box.exec(BINARY, "health", *options)
            start, words = ("alive: ", failure.words) if failure.driver else ("healthy: ", "")
            if answer.status or not answer.line.startswith(start) or words not in answer.line:
                yield f"{failure.name}: {answer}"
        yield from nothing_left(box)


def check_denied(docker):
    """As after `systemctl daemon-reload`. Recreating the container helps, so that liveness fails as well."""
    with Box(docker) as box:
        yield from well(box)
        if not takes_nodes_away(box):
            return
        for level in "nvml", "driver":
            if (first := box.verify(level).first) != "launch.device-denied":
                yield f"level {level}: {first}"
            for purpose in "liveness", "readiness", "startup":
                yield from wrong(box.health(level, options=["-e", f"CUDACHECK_FOR={purpose}"]), healthy=False)
        yield from nothing_left(box)


# --- the engine's own view -------------------------------------------------------------------------------------------


def becomes(box, wanted):
    """Waits until the engine reports this state."""
    if not until(lambda: box.state()[0] == wanted, 20, 0.1):
        state, log = box.state()
        yield f"{state} instead of {wanted}: {[each['Output'][:100] for each in log[-2:]]}"


def remembered(box, codes=(0, 1)):
    """The engine's log of recent checks has their complete output."""
    for entry in box.state()[1]:
        code, output = entry["ExitCode"], entry["Output"]
        if code not in codes or len(output.encode()) > KEPT:
            yield f"the engine logged status {code} and {len(output.encode())} bytes: {output[:200]}"
        if code in (0, 1) and not output.startswith(("healthy: ", "unhealthy: ")[code]):
            yield f"the engine logged: {output[:200]}"


def watched(docker, *options, interval="500ms", level="driver", timeout="3s", **others):
    pace = ["--health-interval", interval, "--health-retries", "2"]
    settings = ["-e", f"CUDACHECK_HEALTH_LEVEL={level}", "-e", f"CUDACHECK_HEALTH_TIMEOUT={timeout}"]
    return Box(docker, image="watched-machine", options=[*pace, *settings, *options], **others)


def states(docker):
    rightless = [*UNPRIVILEGED, "--memory", "64m", "--pids-limit", "20"]
    cases = [
        ("level nvml", check_states, docker, "nvml", "nvmlInit_v2 = 999", "NVML"),
        ("level driver", check_states, docker, "driver", "cuInit = 999", "nvidia_uvm"),
        ("a hang", check_states, docker, "driver", "cuInit = hang-ignoring-term", "cuInit did not return"),
        ("a crash", check_states, docker, "driver", "cuInit = segv", "SIGSEGV"),
        ("a lost GPU, an init process", check_states, docker, "driver", "lost = 1", "LOST", ["--init"]),
        ("a flood, then a fault", check_states, docker, "driver", "cuInit = flood,802", "fabric"),
        ("all restrictions", check_states, docker, "driver", "cuInit = 803", "version", rightless),
        ("the start period", check_grace, docker),
        ("the engine's timeout", check_engine_kills, docker, [], True),
        ("the engine's timeout, an init process", check_engine_kills, docker, ["--init"], False),
        ("more output than the engine keeps", check_much_to_say, docker),
        ("only the binary", check_watched_server, docker),
    ]
    # In parallel, because they mostly wait.
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda case: check(*case), cases))


def check_states(docker, level, script, words, options=()):
    with watched(docker, *options, level=level, timeout="1s", interval="1s") as box:
        if (state := box.state()[0]) != "starting":
            yield f"{state} instead of starting"
        yield from becomes(box, "healthy")
        yield from remembered(box)
        box.put(script)
        yield from becomes(box, "unhealthy")
        yield from remembered(box)
        kept = box.state()[1][-1]["Output"].split("\n")[0]
        if words not in kept:
            yield f"the engine logged {kept!r}"
        # The line of a hang contains a duration, which differs.
        said = box.health(level, "1s").line
        if said != kept and "did not return" not in said:
            yield f"the engine logged {kept!r}, the check printed {said!r}"
        box.put(HEALTHY)
        yield from becomes(box, "healthy")
        yield from remembered(box)
        yield from settles(box)


def check_grace(docker):
    """Failures during the start period do not count; the first success ends it."""
    with watched(docker, "--health-start-period", "60s", interval="300ms", script="cuInit = 802") as box:
        if not until(lambda: len(box.state()[1]) > 3, 20):
            yield "no check ran"
        if (state := box.state()[0]) != "starting":
            yield f"{state} instead of starting"
        box.put(HEALTHY)
        yield from becomes(box, "healthy")
        box.put("cuInit = 802")
        yield from becomes(box, "unhealthy")


def check_engine_kills(docker, options, zombies):
    """The engine's timeout is shorter than ours: it kills the check, and the next check is right."""
    with watched(docker, "--health-timeout", "700ms", *options, timeout="4s") as box:
        yield from becomes(box, "healthy")
        box.put("cuInit = hang")
        yield from becomes(box, "unhealthy")
        yield from remembered(box, codes=(0, 1, -1))
        if -1 not in [entry["ExitCode"] for entry in box.state()[1]]:
            yield f"the engine killed no check: {box.state()[1]}"
        box.put(HEALTHY)
        yield from becomes(box, "healthy")
        yield from remembered(box, codes=(0, 1, -1))
        yield from settles(box, zombies)


def check_much_to_say(docker):
    with watched(docker, script="gpus = 60\nlost = 1") as box:
        yield from becomes(box, "unhealthy")
        yield from remembered(box)
        answer = box.health()
        yield from wrong(answer, healthy=False)
        if len(answer.out) < KEPT // 2:
            yield f"only {len(answer.out)} bytes: too few for this test"


def check_watched_server(docker):
    """The binary is the only file: process 1 and its health check."""
    pace = ["--health-interval", "500ms", "--health-retries", "2"]
    with Box(docker, "/cudacheck", "serve", image="watched-scratch", options=pace) as box:
        yield from becomes(box, "unhealthy")
        yield from remembered(box)
        yield from settles(box)


# --- many at once, and killed ----------------------------------------------------------------------------------------


def crowd(docker):
    check("ten checks at once, level nvml", check_overlap, docker, "nvml", "nvmlInit_v2 = sleep:100")
    check("ten checks at once, level driver", check_overlap, docker, "driver", "cuInit = sleep:100")
    check("ten checks at once, the driver hangs", check_overlap_hanging, docker)
    check("checks at once after one was killed", check_overlap_after_kill, docker)
    for options in [], ["--init"]:
        kind = ", an init process" if options else ""
        check(f"the check is killed at any moment{kind}", check_kills, docker, options, "is_check")
        check(f"the probe is killed at any moment{kind}", check_kills, docker, options, "is_probe")


def overlap(box, level, timeout, count=10):
    running = [box.start_health(level, timeout) for _ in range(count)]
    return [each.finish() for each in running]


def check_overlap(engine, level, script):
    with Box(engine, script=script) as box:
        for answer in overlap(box, level, "20s"):
            yield from wrong(answer, healthy=True)
        yield from nothing_left(box)


def check_overlap_hanging(docker):
    with Box(docker, script="cuInit = hang") as box:
        for answer in overlap(box, "driver", "3s"):
            yield from wrong(answer, healthy=False)
            if answer.seconds > 3 + SLACK:
                yield f"later than its timeout of 3 s: {answer}"
        box.put(HEALTHY)
        yield from well(box)
        yield from nothing_left(box)


def check_overlap_after_kill(docker):
    """A zombie probe that process 1 has not reaped does not count as stuck."""
    with Box(docker, script="cuInit = hang") as box:
        running = box.start_health(timeout="1s")
        if not until(box.probes):
            yield "no probe started"
        for each in box.new():
            if each.is_check:
                each.end(signal.SIGKILL)
        running.finish()
        if not until(lambda: [each for each in box.new() if each.is_probe and each.state == "Z"]):
            yield f"no zombie: {', '.join(map(str, box.new()))}"
        box.put("cuInit = sleep:300")
        # Until after the deadline of the dead probe.
        time.sleep(2.2)
        for answer in overlap(box, "driver", "20s", 5):
            yield from wrong(answer, healthy=True)


def check_kills(docker, options, which):
    moments = random.Random(5)
    hit = 0
    with Box(docker, options=options) as box:
        for _ in range(15):
            box.put("nvmlInit_v2 = sleep:90\ncuInit = sleep:60")
            running = box.start_health()
            until(lambda: [each for each in box.new() if getattr(each, which)], 5, 0.002)
            time.sleep(moments.uniform(0, 0.15))
            victims = [each for each in box.new() if getattr(each, which) and each.state != "Z"]
            for each in victims:
                each.end(signal.SIGKILL)
            hit += bool(victims)
            answer = running.finish()
            yield from panics(answer)
            if which == "is_probe":
                yield from unclear(answer)
            box.put(HEALTHY)
            yield from wrong(box.health(), healthy=True)
        if hit < 5:
            yield f"only {hit} were killed"
        # Only process 1 can reap an orphan.
        yield from nothing_left(box, zombies=which == "is_check" and not options)


# --- probes that SIGKILL cannot end ---------------------------------------------------------------------------------------


def stuck(docker):
    check("the container is paused during a check", check_paused, docker)
    if not (FREEZER / "cgroup.procs").exists():
        skip("a probe that cannot be killed", "the freezer of version 1 control groups")
        return
    check("a probe that cannot be killed, level driver", check_stuck, docker, "driver", "cuInit", "driver-in")
    check("a probe that cannot be killed, level nvml", check_stuck, docker, "nvml", "nvmlInit_v2", "nvml-init")
    check("a server whose probe cannot be killed", check_stuck_server, docker)


def check_paused(docker):
    """The deadline passes while it is paused."""
    with Box(docker, script="cuInit = sleep:400") as box:
        running = box.start_health(timeout="2s")
        until(box.probes, 5, 0.01)
        docker.must("pause", box.name)
        time.sleep(2.5)
        docker.must("unpause", box.name)
        yield from unclear(running.finish(10))
        yield from wrong(box.health(), healthy=True)
        yield from nothing_left(box)


class Frozen:
    """Freezes the probe of a box, so that no signal ends it."""

    def __init__(self, box, stage):
        self.group = FREEZER / box.engine.prefix
        self.probe = until(lambda: [each for each in box.probes() if stage in each.name], 5, 0.01)
        if not self.probe:
            raise AssertionError(f"no probe reached {stage}: {', '.join(map(str, box.new()))}")

    def __enter__(self):
        self.group.mkdir(exist_ok=True)
        (self.group / "cgroup.procs").write_text(str(self.probe[0].pid))
        (self.group / "freezer.state").write_text("FROZEN")
        return self

    def __exit__(self, *_):
        thaw(self.group)


def thaw(group):
    def gone():
        try:
            group.rmdir()
        except OSError:
            pass
        return not group.exists()
    if group.exists():
        (group / "freezer.state").write_text("THAWED")
        until(gone)


def check_stuck(docker, level, call, stage):
    # With an init process, which reaps the probe once it can be killed.
    with Box(docker, options=["--init"], script=f"{call} = hang") as box:
        running = box.start_health(level, "2s")
        with Frozen(box, stage):
            answer = running.finish()
            yield from wrong(answer, healthy=False)
            if answer.seconds > 2 + SLACK or call not in answer.line:
                yield f"at the deadline: {answer}"
            # The probe's own deadline is in whole seconds.
            time.sleep(max(0, running.start + 3.1 - time.monotonic()))
            for _ in range(3):
                yield from reports_stuck(box, level, stage)
            if len(box.probes()) != 1:
                yield f"a second probe was started: {', '.join(map(str, box.new()))}"
        box.put(HEALTHY)
        if not until(lambda: not box.probes(), 5):
            yield "the probe still exists"
        yield from well(box)
        yield from nothing_left(box)


def reports_stuck(box, level, stage):
    answer = box.verify(level)
    yield from panics(answer)
    if answer.first != "probe.stuck" or answer.seconds > SLACK:
        yield f"{answer.first} after {answer.seconds:.1f} s instead of probe.stuck"
    answer = box.health(level)
    yield from wrong(answer, healthy=False)
    if stage not in answer.line or "deadline" not in answer.line or answer.seconds > SLACK:
        yield f"the line lacks the stage or the time past the deadline: {answer}"


def check_stuck_server(docker):
    with served.server(docker, "--interval", "200ms", "--timeout", "1s") as box:
        yield from served.says(box, "/readyz", 200, "healthy")
        box.put("cuInit = hang")
        with Frozen(box, "driver-in"):
            if not until(lambda: "past its deadline" in served.ask(box, "/readyz")[1]):
                yield f"the stuck probe is not reported: {served.ask(box, '/readyz')}"
            yield from served.says(box, "/livez", 200, "alive", 2)
            if len(box.probes()) != 1:
                yield f"a second probe was started: {', '.join(map(str, box.new()))}"
            yield from reports_stuck(box, "driver", "driver-in")
        box.put(HEALTHY)
        yield from served.says(box, "/readyz", 200, "healthy")
        yield from settles(box)


# --- lack of resources ------------------------------------------------------------------------------------------------------------


def resources(docker):
    check("standard output is closed", check_closed, docker)
    check("standard output is full", check_full_disk, docker)
    check("the process table is full", check_full_table, docker)
    check("a memory limit of 32 MB", check_little_memory, docker)
    check("memory filled by others", check_no_memory, docker)
    check("5 % of a CPU", check_little_time, docker)


ANSWERS = ((HEALTHY, 0), ("cuInit = 802", 1), ("cuInit = flood,segv", 1))
HEALTH = f"{BINARY} health --level driver"


def check_closed(docker):
    commands = [f"{HEALTH} {closing}" for closing in (">&-", "2>&-", "<&-", ">&- 2>&- <&-")]
    commands += [f"{HEALTH} | true; exit ${{PIPESTATUS[0]}}"]
    with Box(docker) as box:
        for script, status in ANSWERS:
            box.put(script)
            for command in commands:
                answer = box.exec("bash", "-c", command)
                yield from panics(answer)
                if answer.status != status:
                    yield f"{script}, {command}: {answer}"
        yield from nothing_left(box)


def check_full_disk(docker):
    """The answer cannot be written, but the exit status must still be right."""
    with Box(docker) as box:
        for script, status in ANSWERS:
            box.put(script)
            answer = box.exec("bash", "-c", f"{HEALTH} >/dev/full")
            yield from panics(answer)
            if answer.status not in (status, 1):
                yield f"{script}: {answer}"


def check_full_table(docker):
    """Sleeping processes fill the table; a shell that is running already becomes the check."""
    limit = 20
    with Box(docker, options=["--pids-limit", str(limit)]) as box:
        for level in "nvml", "driver":
            statuses = set()
            for free in range(9):
                yield from (f"{free} free: {fault}" for fault in fill_table(box, level, limit, free, statuses))
            if statuses != {0, 1}:
                yield f"level {level} shows statuses {statuses}: the table was always or never full"
        yield from nothing_left(box, zombies=True)


def fill_table(box, level, limit, free, statuses):
    def used():
        return int((box.group("pids") / "pids.current").read_text())
    become = f"read; exec {BINARY} health --level {level} --timeout 4s"
    waiting = box.start("bash", "-c", become, options=["-i"])
    filling = box.start("bash", "-c", "while read; do sleep 3600 & done; kill $(jobs -p); wait", options=["-i"])
    until(lambda: used() == 3)
    filling.process.stdin.write(b"\n" * (limit - 3 - free))
    filling.process.stdin.flush()
    if not until(lambda: used() == limit - free):
        yield f"{used()} processes"
    start = time.monotonic()
    answer = waiting.finish(20, b"\n")
    yield from unclear(answer)
    if time.monotonic() - start > 4 + SLACK:
        yield f"too late: {answer}"
    statuses.add(answer.status)
    if free == 0 and (refused := box.health(level)).status == 0:
        yield f"the engine started it: {refused}"
    filling.finish()
    until(lambda: used() == 1)
    yield from wrong(box.health(level), healthy=True)


SMALL = ["--memory", "32m", "--memory-swap", "32m"]


def check_little_memory(docker):
    with Box(docker, options=SMALL) as box:
        yield from fails_and_recovers(box)


def check_no_memory(docker):
    """A file in memory grows until the kernel kills checks."""
    with Box(docker, options=SMALL) as box:
        # So that the kernel kills the check rather than process 1.
        first = "echo 1000 >/proc/self/oom_score_adj; exec"
        statuses = []
        for kilobytes in range(26 << 10, 32 << 10, 256):
            box.exec("sh", "-c", f"{first} head -c {kilobytes}K /dev/zero >/dev/shm/full")
            answer = box.exec("sh", "-c", f"{first} {HEALTH} --timeout 5s")
            statuses.append(answer.status)
            yield from panics(answer)
            # A check that was killed prints nothing.
            if answer.status in (0, 1) and "OCI runtime" not in answer.out + answer.error:
                yield from (f"{kilobytes} kB: {fault}" for fault in unclear(answer))
            if answer.seconds > 5 + SLACK:
                yield f"{kilobytes} kB: {answer}"
        if set(statuses) <= {0}:
            yield "memory never ran out: this tested nothing"
        Path(f"/proc/{box.pid}/root/dev/shm/full").unlink()
        yield from well(box)
        yield from nothing_left(box, zombies=True)


def check_little_time(docker):
    with Box(docker, options=["--cpus", "0.05"]) as box:
        for script, healthy in (HEALTHY, True), ("nvmlInit_v2 = 18\ncuInit = 803", False), (HEALTHY, True):
            box.put(script)
            for level in "nvml", "driver":
                answer = box.health(level, "20s")
                yield from wrong(answer, healthy)
                if answer.seconds > 20 + 2 * SLACK:
                    yield f"later than its timeout of 20 s: {answer}"
        # Too short for any check: the line must name --timeout.
        answer = box.health("driver", "30ms")
        yield from unclear(answer)
        if answer.status == 1 and "--timeout" not in answer.line:
            yield f"the line lacks --timeout: {answer}"
        yield from wrong(box.health("driver", "20s"), healthy=True)
        yield from nothing_left(box)


# --- podman ----------------------------------------------------------------------------------------------------------


def podman(docker):
    engine = Podman(docker.work, docker.prefix, docker.binary, docker.fakes)
    try:
        engine.import_image("machine", PARTS / "debian", docker.work / "machine")
        runtime = engine.choose_runtime()
        # The OCI image format has no health checks.
        engine.watch("machine", BINARY, ["--format", "docker"])
        print(f"{engine('--version').out.strip()}, {runtime}", flush=True)
        check("podman: states", check_podman_states, engine)
        check("podman: all restrictions", check_rights, engine, ALL_RIGHTS)
        with Box(engine) as box:
            for failure in KINDS:
                check(f"podman: {failure.name}", check_failure, box, failure)
        check("podman: ten checks at once", check_overlap, engine, "driver", "cuInit = sleep:100")
        for name, command, status in ("verification", served.VERIFICATION, 143), ("server", served.SERVER, 0):
            check(f"podman: stop ends a {name} that hangs", served.check_end, engine, command, served.HANGS, status)
    finally:
        engine.clean()


def check_podman_states(engine):
    settings = ["-e", "CUDACHECK_HEALTH_LEVEL=driver", "-e", "CUDACHECK_HEALTH_TIMEOUT=1s", "--health-retries", "1"]
    with Box(engine, image="watched-machine", options=settings) as box:
        if (state := box.state()[0]) != "starting":
            yield f"{state} instead of starting"
        for script in "cuInit = 999", "cuInit = hang-ignoring-term", "cuInit = segv":
            for script, expected in (HEALTHY, (0, "healthy")), (script, (1, "unhealthy")):
                box.put(script)
                status = engine("healthcheck", "run", box.name).status
                if (seen := (status, box.state()[0])) != expected:
                    yield f"{script}: {seen} instead of {expected}"
                yield from remembered(box)
        yield from nothing_left(box)


# --- the run ---------------------------------------------------------------------------------------------------------


def serve(docker):
    served.serve(docker, ALL_RIGHTS)


ends = served.ends
GROUPS = {"images": images, "rights": rights, "failures": failures, "states": states, "crowd": crowd, "stuck": stuck,
          "resources": resources, "ends": ends, "serve": serve, "podman": podman}


def prepare(docker, fakes):
    nodes = docker.work / "nodes"
    nodes.mkdir()
    for node in NODES:
        os.mknod(nodes / node, 0o020666, FUSE)
        (nodes / node).chmod(0o666)
    # Added to each root: the binary, and in Debian an application's CUDA libraries.
    overlays = {"scratch": "cudacheck", "musl": "cudacheck", "machine": BINARY[1:]}
    for name, program in overlays.items():
        (docker.work / name / program).parent.mkdir(parents=True)
        shutil.copy(docker.binary, docker.work / name / program)
    libraries = docker.work / f"machine{SYSTEM}"
    libraries.mkdir(parents=True)
    for library in FAKES:
        if library not in OF_DRIVER:
            shutil.copy(fakes / library, libraries)
    docker.import_image("scratch", docker.work / "scratch")
    docker.import_image("musl", PARTS / "musl", docker.work / "musl")
    docker.import_image("machine", PARTS / "debian", docker.work / "machine")
    docker.watch("machine", BINARY)
    docker.watch("scratch", "/cudacheck")


def missing(binary, groups):
    if os.geteuid():
        yield "root"
    if "podman" in groups and not shutil.which("podman"):
        yield "podman"
    if not Path("/dev/fuse").is_char_device():
        yield "/dev/fuse (modprobe fuse)"
    if not shutil.which("docker") or subprocess.run(["docker", "version"], capture_output=True).returncode:
        yield "a running docker"
    if not binary.is_file():
        yield str(binary)
    for part in "debian", "musl":
        if not (PARTS / part).is_dir():
            yield f"{PARTS / part} (tests/real/parts.sh {part})"


def run(docker, fakes, groups):
    try:
        prepare(docker, fakes)
        for name in groups:
            print(f"# {name}", flush=True)
            try:
                GROUPS[name](docker)
            except Exception as error:
                tally["FAIL"] += 1
                print(f"FAIL the group {name}: {type(error).__name__}: {error}", flush=True)
    finally:
        thaw(FREEZER / docker.prefix)
        docker.clean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("fakes", type=Path, nargs="?")
    parser.add_argument("--only", action="append", choices=GROUPS, metavar="GROUP",
                        help=f"one of: {', '.join(GROUPS)}; may be repeated")
    options = parser.parse_args()
    groups = options.only or list(GROUPS)
    if lacking := list(missing(options.binary, groups)):
        sys.exit("health.py needs: " + ", ".join(lacking))
    # So that SIGTERM cleans up, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="cudacheck-health-") as directory:
        work = Path(directory)
        work.chmod(0o755)
        fakes = options.fakes.resolve() if options.fakes else build_fakes(work)
        docker = Engine(work, f"cudacheck-health-{os.getpid()}", options.binary.resolve(), fakes)
        run(docker, fakes, groups)
    print(f"{tally['ok']} passed, {tally['FAIL']} failed")
    sys.exit(1 if tally["FAIL"] else 0)


if __name__ == "__main__":
    main()
