"""Kills the supervisor or the probe of overlapping calls at random moments.

All other calls must be right. A call whose supervisor gets a signal ends by that signal, or as it would have ended; a
call whose probe is killed is healthy if the probe had finished, else it names the signal. Within a second nothing is
left of them, and the next call is right.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import measure

ENDED_BY = {signal.SIGKILL: (-signal.SIGKILL,), signal.SIGTERM: (-signal.SIGTERM, 128 + signal.SIGTERM)}
# Milliseconds that a driver call takes: signals arrive before, during and after it.
SLEEPS = (0, 5, 20, 50)
# Seconds after which a supervisor has ignored a signal.
PROMPT = 1.0


def run(machine, report, options):
    rounds = max(10, options.calls // 40)
    complaints = {"calls are right": [], "nothing is left behind": [], "the next call is right": []}
    delays, hits = [], {"supervisor": 0, "probe": 0}
    for number in range(rounds):
        traces = measure.Traces()
        for complaint in one_round(machine, options.random, hits, delays):
            complaints["calls are right"].append(f"round {number}, {complaint}")
        for name, why in (("nothing is left behind", traces.after()), ("the next call is right", machine.is_right())):
            if why:
                complaints[name].append(f"round {number}, {why}")
    print(f"{rounds} rounds; signals to {hits['supervisor']} supervisors, {hits['probe']} probes")
    if delays:
        print(f"time from the signal to the end of the supervisor: {measure.spread(delays)}")
    for name, all_complaints in complaints.items():
        report.collected(f"kill: {name}", all_complaints)
    report.check("kill: enough signals hit", "" if min(hits.values()) >= rounds / 10 else f"only {hits}")


def one_round(machine, random, hits, delays):
    """Runs two to ten calls; returns what is wrong with their ends."""
    hang = random.random() < 0.15
    calls = []
    for _ in range(random.randint(2, 4) if hang else random.randint(2, 10)):
        level, function = random.choice((("nvml", "nvmlInit_v2"), ("driver", "cuInit")))
        action = "hang-ignoring-term" if hang else f"sleep:{random.choice(SLEEPS)}"
        limit = ("--timeout", "500ms") if hang else ()
        process = machine.start("health", "--level", level, *limit, script=machine.script(f"{function} = {action}"))
        calls.append({"process": process, "start": time.perf_counter(), "allowed": (), "late": "", "probe": False, "hang": hang})
        time.sleep(random.choice((0, 0, 0.001, 0.005)))
    for call in random.sample(calls, random.randint(1, len(calls))):
        time.sleep(random.uniform(0, 0.02))
        strike(call, random, hits, delays)
    return [complaint for complaint in (judge(call) for call in calls) if complaint]


def strike(call, random, hits, delays):
    supervisor = call["process"].pid
    if random.random() < 0.5:
        for probe in children(supervisor):
            try:
                os.kill(probe, signal.SIGKILL)
            except ProcessLookupError:
                continue
            hits["probe"] += 1
            call["probe"] = True
        return
    by = random.choice(tuple(ENDED_BY))
    hits["supervisor"] += call["process"].poll() is None
    start = time.perf_counter()
    call["process"].send_signal(by)
    try:
        call["process"].wait(PROMPT)
    except subprocess.TimeoutExpired:
        call["late"] = by.name
        return
    delays.append(time.perf_counter() - start)
    call["allowed"] = ENDED_BY[by]


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def judge(call):
    outcome = measure.end(call["process"], call["start"], 10 + measure.PATIENCE)
    if outcome.status in call["allowed"]:
        return ""
    if call["late"]:
        return f"still running after {call['late']}: {outcome}"
    if call["hang"] or call["probe"]:
        # A probe may have been killed after its last event. A hanging probe is reported, also by calls that wait for it.
        words = () if call["hang"] else ("SIGKILL",)
        healthy = not call["hang"] and not measure.not_healthy(outcome)
        return "" if healthy else measure.not_unhealthy(outcome, *words)
    return measure.not_healthy(outcome)
