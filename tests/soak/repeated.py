"""Runs thousands of calls in sequence, some with faults, and checks that no resource grows.

Processes, descriptors, files and sockets are counted exactly and must not grow: nothing else runs in these namespaces.
Memory and time are measured with noise, and have an allowance that a real leak exceeds, per 1,000 calls:

- open files of the whole machine: other programs open files, too. One leaked by every second call is 500. The caller's
  own descriptors are counted exactly.
- memory of the control group, after shrinking the kernel's caches: the smallest possible leak, a socket, takes about
  1 KiB, so that one leaked by every 60th call is 16.
- time: calls only get slower because of something that was left behind, which is counted exactly. The allowance is for
  other load on the machine.
"""

import statistics
import time
from pathlib import Path

import isolation
import measure

BATCHES = 25
FAULTS = 0.08
# The timeout of a call that hangs; a healthy call takes a few milliseconds.
SHORT = "250ms"

OPEN_FILES, MEMORY, MILLISECONDS = 500.0, 16.0, 1.0


def scenarios(machine):
    """Level, script and words of the verdict: for a healthy machine, and for faults."""
    healthy = [("nvml", machine.script("gpus = 2"), None), ("driver", machine.script("gpus = 2"), None)]
    faults = []
    for level, call in (("nvml", "nvmlInit_v2"), ("driver", "cuInit")):
        for action in ("999", "segv", "abort", "exit:7", "hang"):
            faults.append((level, machine.script(f"{call} = {action}"), () if action == "999" else (call,)))
    return healthy, faults


def run(machine, report, options):
    healthy, faults = scenarios(machine)
    group = isolation.group("memory", "repeated")
    if group:
        isolation.join(group)
    else:
        print("not measured: memory (no version 1 memory controller)")
    wrong, growth, traces = [], measure.Growth("1000 calls"), None
    size = max(8, options.calls // BATCHES)
    for batch in range(BATCHES + 1):
        times = {"nvml": ([], []), "driver": ([], [])}
        for number in range(size):
            is_fault = options.random.random() < FAULTS
            level, script, words = options.random.choice(faults) if is_fault else healthy[number % 2]
            limit = ("--timeout", SHORT) if script.endswith("hang") else ()
            outcome = machine.call("health", "--level", level, *limit, script=script)
            complaint = measure.not_healthy(outcome) if words is None else measure.not_unhealthy(outcome, *words)
            if complaint:
                wrong.append(f"call {batch * size + number}, {Path(script).name}, {complaint}")
            if words is None:
                times[level][0].append(outcome.seconds * 1e3)
                times[level][1].append(outcome.cpu * 1e3)
        # The first batch fills caches, and is the reference for the others.
        traces = traces or measure.Traces()
        late = traces.after()
        if late:
            wrong.append(f"after {(batch + 1) * size} calls, {late}")
        if batch:
            sample(growth, batch * size / 1000, group, times)
    if group:
        isolation.join(isolation.CGROUPS / "memory")
        isolation.remove(group)
    report.collected(f"repeated: {(BATCHES + 1) * size} calls are right and leave nothing behind", wrong)
    growth.judge(report, "repeated")


def sample(growth, x, group, times):
    growth.add(x, "processes", "", len(measure.processes()))
    growth.add(x, "zombies", "", sum(state == "Z" for _, state, _ in measure.processes().values()))
    growth.add(x, "descriptors of the caller", "", measure.descriptors())
    growth.add(x, "files in " + " ".join(isolation.TEMPORARY), "", len(measure.files()))
    growth.add(x, "abstract sockets", "", len(measure.sockets()))
    growth.add(x, "open files of the machine", "", int(Path("/proc/sys/fs/file-nr").read_text().split()[0]), OPEN_FILES)
    if group:
        (group / "memory.force_empty").write_text("0")
        # The kernel frees objects after a grace period.
        time.sleep(0.1)
        kernel = int((group / "memory.kmem.usage_in_bytes").read_text())
        statistic = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        growth.add(x, "memory of the kernel", "KiB", kernel / 1024, MEMORY)
        growth.add(x, "files in memory", "KiB", int(statistic["total_shmem"]) / 1024, MEMORY)
    for level, (seconds, cpu) in times.items():
        growth.add(x, f"time of a call, level {level}", "ms", statistics.median(seconds), MILLISECONDS)
        growth.add(x, f"CPU of a call, level {level}", "ms", statistics.median(cpu), MILLISECONDS)
