"""Measures how much longer than --timeout calls take while the probe hangs.

The time is measured by the caller: from before fork to the exit of the program and the end of its streams, minus
--timeout. It includes the start of the process and the fork of this script; a call reserves 60 ms for that and for its
own end.

To reduce the effect of other load, everything runs at a higher priority. At the same time a control process only sleeps
for the same time and starts the program to print help. The time that it takes beyond its best case is the delay of the
machine itself; its p99 is allowed in addition.

A probe that cannot be killed is frozen by the freezer of a version 1 control group.
"""

import multiprocessing
import os
import re
import subprocess
import time
from pathlib import Path

import isolation
import kill
import measure

PRIORITY = -10
TIMEOUT = 0.2
ALLOWED = 0.050
# A probe is frozen while it hangs in cuInit, which it reaches within a few milliseconds.
FROZEN_TIMEOUT = 0.4
# One in this many calls is followed by a second call, which waits until the first is past its deadline.
FOLLOWED = 25
# Share of probes that must reach cuInit in time to be frozen, even on a slow machine.
FROZEN = 0.75


def run(machine, report, options):
    os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    try:
        hanging(machine, report, runs := max(20, options.calls // 20))
        frozen(machine, report, runs)
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    report.check("deadline: the next call is right", machine.is_right())


def hanging(machine, report, runs):
    for action in ("hang", "hang-ignoring-term"):
        script = machine.script(f"cuInit = {action}")
        wrong, times = [], []
        with Control(machine) as control:
            for _ in range(runs):
                outcome = machine.call("health", "--level", "driver", "--timeout", f"{TIMEOUT}s", script=script)
                wrong += filter(None, [measure.not_unhealthy(outcome, "cuInit", "did not return")])
                times.append(outcome.seconds - TIMEOUT)
        judge(report, action, wrong, times, control)


def frozen(machine, report, runs):
    freezer = isolation.group("freezer", "deadline")
    if not freezer:
        return print("not measured: a probe that cannot be killed (no version 1 freezer)")
    wrong, times = [], []
    with Control(machine) as control:
        for number in range(runs):
            wrong += filter(None, [unkillable(machine, freezer, control, times, number % FOLLOWED == 0)])
    isolation.remove(freezer)
    judge(report, "a probe that cannot be killed", wrong, times, control)
    report.check("deadline: enough probes were frozen", "" if len(times) >= FROZEN * runs else f"{len(times)} of {runs}")


class Control:
    """Measures the delay of the machine itself."""

    def __init__(self, machine):
        self.command = [machine.binary, "explain"]

    def __enter__(self):
        self.over = multiprocessing.Event()
        self.process = measure.background(self.sleep)
        return self

    def __exit__(self, *_):
        self.over.set()
        self.late = measure.result(self.process)

    def sleep(self):
        took = []
        while not self.over.is_set():
            start = time.perf_counter()
            time.sleep(TIMEOUT)
            subprocess.run(self.command, stdout=subprocess.DEVNULL, check=True)
            took.append(time.perf_counter() - start)
        return [time_ - min(took) for time_ in took]


def judge(report, name, wrong, times, control):
    report.collected(f"deadline: {name}: calls are right", wrong)
    print(f"{name}: beyond the deadline by {measure.spread(times)}")
    print(f"control: delayed by {measure.spread(control.late)}")
    p99, allowed = measure.percentile(times, 0.99), ALLOWED + measure.percentile(control.late, 0.99)
    why = "" if p99 < allowed else f"{p99 * 1e3:.1f} ms, allowed {allowed * 1e3:.1f} ms"
    report.check(f"deadline: {name}: p99 at most {ALLOWED * 1e3:.0f} ms more than the control", why)


def unkillable(machine, freezer, control, times, followed):
    """Runs a call whose probe is frozen, and maybe a second call that finds this probe; returns what is wrong."""
    script = machine.script("cuInit = hang")
    traces, start = measure.Traces(ignored=control.process[0].pid), time.perf_counter()
    process = machine.start("health", "--level", "driver", "--timeout", f"{FROZEN_TIMEOUT}s", script=script)
    probe = wait_for_probe(process.pid)
    if probe is None:
        return measure.not_unhealthy(measure.end(process, start, 10)) or traces.after()
    (freezer / "freezer.state").write_text("FROZEN")
    (freezer / "cgroup.procs").write_text(str(probe))
    try:
        outcome = measure.end(process, start, 10)
        times.append(outcome.seconds - FROZEN_TIMEOUT)
        complaints = [measure.not_unhealthy(outcome, "cuInit", "did not return")]
        if followed:
            complaints.append(second_call(machine, probe, outcome.seconds, times))
    finally:
        (freezer / "freezer.state").write_text("THAWED")
    complaints.append(traces.after())
    return "; ".join(filter(None, complaints))


def second_call(machine, probe, age, times):
    """Finds the first call's probe past its deadline, and starts no probe itself."""
    # The probe's timeout and age are in whole seconds.
    time.sleep(max(0.0, 2.2 - age))
    second = machine.call("health", "--level", "driver", "--timeout", f"{FROZEN_TIMEOUT}s")
    times.append(second.seconds - FROZEN_TIMEOUT)
    probes = [name for name, _, _ in measure.processes().values() if re.match(r"cc\d+/", name)]
    return measure.not_unhealthy(second, str(probe), "deadline") or ("" if len(probes) == 1 else f"probes: {probes}")


def wait_for_probe(supervisor):
    until = time.perf_counter() + FROZEN_TIMEOUT / 2
    while time.perf_counter() < until:
        for child in kill.children(supervisor):
            try:
                if re.match(r"cc\d+/:driver-in", Path(f"/proc/{child}/comm").read_text()):
                    return child
            except OSError:
                pass
        time.sleep(0.001)
    return None
