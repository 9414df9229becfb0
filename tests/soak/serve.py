"""`serve` under load, while the machine is healthy, broken, hanging and crashing in turn.

Latency is measured by the client, from the request to the end of the answer. For each resource of the server, the
minimum of ten seconds counts: the value while no check runs. Descriptors include the clients' connections. Two counts
show that requests cause no driver call: the server's own count of checks, and how often the fake libraries opened their
script, which each of them does once per process.
"""

import http.client
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import clients
import isolation
import measure
import opens

# A hanging check is stale long before its deadline.
INTERVAL, TIMEOUT, MAX_AGE = 0.25, 5.0, 2.0
LEVEL = "driver"
# Each reads the script once per probe at this level.
LIBRARIES = 2
WORKERS, RATE = 4, 32
LATENCY = 0.050
# The first quarter of the windows is warm-up.
WINDOW, WARM = 10.0, 0.25
# KiB over the whole run, so that longer runs are stricter: an allocator grows for a while until its free blocks fit.
# In ten minutes, 256 KiB are 3 bytes per request, or about 200 bytes per check.
SETTLES = 256.0
# Per minute.
CONNECTIONS = 1.0
# Seconds after which a child is older than any check, and after which a zombie is leaked.
OLD, UNREAPED = TIMEOUT + 2, 1.0
# Seconds until a thawed probe has been reaped, after the next checks.
CLEARED = 3.0
AT_ONCE = 0.5
MOST_CONNECTIONS = 64

# Script, seconds per turn, and the right answers of /livez and /readyz. /startupz may give any of them, and success,
# because the server has started. Hanging follows healthy, so that a healthy result must become stale.
STATES = {
    "healthy": ("gpus = 2", 14, {(200, "healthy")}, {(200, "healthy")}),
    "hanging": ("cuInit = hang-ignoring-term", 17, {(200, "alive"), (503, "stale")}, {(503, "unhealthy"), (503, "stale")}),
    "broken": ("cuInit = 999", 8, {(200, "alive")}, {(503, "unhealthy")}),
    "crashing": ("cuInit = segv", 8, {(200, "alive")}, {(503, "unhealthy")}),
}
# Seconds until a new state is visible: the end of the running check, the interval, the next check.
LAG = {"hanging": MAX_AGE + INTERVAL + 1.0}
LAG_AFTER_HANGING, OTHER_LAG = TIMEOUT + INTERVAL + 1.5, INTERVAL + 1.5


def run(machine, report, options):
    traces = measure.Traces()
    served = Served(machine, report)
    try:
        served.starts()
        served.under_load(options.serve)
        served.flood()
        served.unkillable()
        served.ends()
    finally:
        served.close()
    report.check("serve: nothing is left behind", traces.after())


class Served:
    """A server and the state of its machine."""

    def __init__(self, machine, report):
        self.machine, self.report = machine, report
        self.port = free_port()
        self.log = machine.home / "serve.log"
        self.script = machine.script("cuInit = sleep:1500", "serve")
        self.opens = opens.Opens(machine.home, Path(self.script).name)
        arguments = ("serve", "--listen", f"127.0.0.1:{self.port}", "--level", LEVEL, "--interval", f"{INTERVAL}s",
                     "--timeout", f"{TIMEOUT}s", "--max-age", f"{MAX_AGE}s")
        with open(self.log, "w") as log:
            self.process = machine.start(*arguments, script=self.script, stdout=log, stderr=log)
        self.children = {}
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)

    def close(self):
        self.connection.close()
        os.close(self.opens.handle)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def ask(self, path, again=True):
        """Status and first word, or the error. Reconnects once, because the server closes idle connections."""
        try:
            answer, body = clients.ask(self.connection, path)
            return answer.status, body.partition(":")[0]
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            return self.ask(path, again=False) if again else (0, repr(error))

    def until(self, path, right, seconds):
        """Waits for an answer; returns the seconds, or None."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            if self.ask(path) == right:
                return time.monotonic() - start
            time.sleep(0.02)
        return None

    def checks(self):
        _, body = clients.ask(self.connection, "/metrics")
        return sum(float(line.split()[-1]) for line in body.splitlines() if line.startswith("cudacheck_checks_total"))

    # --- the phases ----------------------------------------------------------------------------------

    def starts(self):
        """There is no verdict during the first check, which takes 1.5 s."""
        came = self.until("/readyz", (503, "starting"), 1.0)
        # Liveness must not kill a starting container.
        right = {"/livez": (200, "starting"), "/startupz": (503, "starting"), "/report": (503, "starting")}
        wrong = {path: answer for path in right if (answer := self.ask(path)) != right[path]}
        self.report.check("serve: reports that it is starting", f"{came} {wrong} {self.log.read_text()}" if came is None or wrong else "")
        came = self.until("/readyz", (200, "healthy"), 5)
        self.report.check("serve: becomes healthy", "" if came else f"it answers {self.ask('/readyz')}")

    def under_load(self, minutes):
        self.minutes, seconds, start = minutes, minutes * 60, time.monotonic()
        until = start + seconds
        checks, opened = self.checks(), self.opens.count()
        workers = [measure.background(clients.steady, self.port, until, RATE, number > 0) for number in range(WORKERS)]
        misbehaving = measure.background(clients.misbehaving, self.port, until)
        growth, samples, wrong = measure.Growth("minute"), [], []
        states, state, before, since = self.turns(), None, None, 0.0
        next_turn, number, window = start, 0, start
        while (now := time.monotonic()) < until:
            if now >= next_turn:
                before, state, since = state, next(states), now
                self.machine.script(STATES[state][0], "serve")
                next_turn = now + STATES[state][1]
            wrong += filter(None, [self.watch(clients.PROBES[number % 3], state, before, now - since)])
            number += 1
            samples.append(self.resources())
            self.opens.count()
            if now - window >= WINDOW:
                sample(growth, (now - start) / 60, samples)
                samples, window = [], now
            time.sleep(0.1)
        self.machine.script(STATES["healthy"][0], "serve")
        results = [measure.result(worker) for worker in workers]
        cut, abuse = measure.result(misbehaving)
        spent = time.monotonic() - start
        self.judge_load(results, seconds, cut, abuse)
        self.judge_checks(spent, self.checks() - checks, self.opens.count() - opened, sum(len(latencies) for latencies, _ in results))
        self.report.collected(f"serve: {number} answers match the state of the machine", wrong)
        growth.judge(self.report, "serve", warm=int(WARM * seconds / WINDOW))

    @staticmethod
    def turns():
        while True:
            yield from STATES

    def watch(self, path, state, before, age):
        """Checks an answer: it must match this state or, until a new state is visible, the state before."""
        answer = self.ask(path)
        right = self.right(path, state)
        lag = LAG.get(state) or (LAG_AFTER_HANGING if before == "hanging" else OTHER_LAG)
        if age < lag:
            right = right | self.right(path, before or "healthy")
        return "" if answer in right else f"{path} answers {answer}, {state} for {age:.1f} s, {before} before"

    @staticmethod
    def right(path, state):
        _, _, live, ready = STATES[state]
        return live if path == "/livez" else ready if path == "/readyz" else live | ready | {(200, "healthy")}

    def resources(self):
        pid = self.process.pid
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        children = {child: state for child, (_, state, parent) in measure.processes().items() if parent == pid}
        now = time.monotonic()
        self.children = {entry: self.children.get(entry, now) for child, state in children.items() for entry in ((child, ""), (child, state))}
        return {
            ("memory", "KiB", SETTLES / self.minutes): int(status["VmRSS"].split()[0]),
            ("threads", "", CONNECTIONS): int(status["Threads"]),
            ("descriptors", "", CONNECTIONS): measure.descriptors(pid),
            ("children that stay", "", 0.0): sum(state == "" and now - since > OLD for (_, state), since in self.children.items()),
            ("zombies that stay", "", 0.0): sum(state == "Z" and now - since > UNREAPED for (_, state), since in self.children.items()),
            ("temporary files", "", 0.0): len(measure.files()),
            ("abstract sockets, but one", "", 0.0): max(0, len(measure.sockets()) - 1),
        }

    def judge_load(self, results, seconds, cut, abuse):
        latencies = [latency for some, _ in results for latency in some]
        print(f"{len(latencies) / seconds:.0f} requests per second; latency {measure.spread(latencies)}")
        print("misbehaving clients, closed in time: " + ", ".join(f"{kind} {count}" for kind, count in cut.items()))
        self.report.check("serve: at least 100 requests per second", "" if len(latencies) >= 100 * seconds else f"{len(latencies) / seconds:.0f}")
        p99 = measure.percentile(latencies, 0.99)
        self.report.check(f"serve: p99 under {LATENCY * 1e3:.0f} ms", "" if p99 < LATENCY else f"{p99 * 1e3:.1f} ms")
        self.report.collected("serve: every answer is well-formed", [complaint for _, some in results for complaint in some])
        self.report.collected("serve: misbehaving clients are refused or closed", abuse)

    def judge_checks(self, spent, checks, opened, requests):
        most, least = spent / INTERVAL + 2, spent / (TIMEOUT + INTERVAL + 1) - 1
        print(f"{checks:.0f} checks in {spent:.0f} s and {requests} requests; the libraries read their script {opened} times")
        self.report.check("serve: checks keep their interval", "" if least <= checks <= most else f"{checks:.0f}, not {least:.0f} to {most:.0f}")
        # A check may be running at the start and at the end.
        agrees = abs(opened - LIBRARIES * checks) <= 2 * LIBRARIES
        self.report.check("serve: requests cause no driver call", "" if agrees else f"{opened} for {checks:.0f} checks")

    def flood(self):
        """Opens far more silent connections than the limit; afterwards the server works as before."""
        quiet = measure.descriptors(self.process.pid)
        flood = [socket.socket() for _ in range(4 * MOST_CONNECTIONS)]
        for one in flood:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.port))
        most = 0
        for _ in range(20):
            most = max(most, measure.descriptors(self.process.pid))
            time.sleep(0.05)
        for one in flood:
            one.close()
        self.connection.close()
        # A running check adds a few descriptors.
        bounded = most <= quiet + MOST_CONNECTIONS + 8
        self.report.check("serve: connections are bounded", "" if bounded else f"{quiet} descriptors before, {most} during the flood")
        came = self.until("/readyz", (200, "healthy"), clients.CUT)
        self.report.check("serve: answers after a flood", "" if came is not None else f"it answers {self.ask('/readyz')}")

    def unkillable(self):
        """Freezes the probe of a check: the server still answers, and reports the hang."""
        freezer = isolation.group("freezer", "serve")
        if not freezer:
            return print("not measured: a probe that cannot be killed (no version 1 freezer)")
        self.machine.script(STATES["hanging"][0], "serve")
        probe, until = None, time.monotonic() + 5
        while probe is None and time.monotonic() < until:
            probe = next((pid for pid, (name, _, parent) in measure.processes().items()
                          if parent == self.process.pid and ":driver-in" in name), None)
            time.sleep(0.01)
        if probe is None:
            return self.report.fail("serve: a probe that cannot be killed", "no probe reached cuInit")
        (freezer / "freezer.state").write_text("FROZEN")
        (freezer / "cgroup.procs").write_text(str(probe))
        self.machine.script(STATES["healthy"][0], "serve")
        time.sleep(TIMEOUT + INTERVAL)
        said = [self.ask("/readyz") for _ in range(50) if time.sleep(0.1) is None]
        probes = [pid for pid, (name, _, _) in measure.processes().items() if name.startswith("cc")]
        isolation.remove(freezer)
        wrong = [answer for answer in set(said) if answer not in STATES["hanging"][3]]
        self.report.check("serve: a probe that cannot be killed is reported", f"{wrong}, probes {probes}" if wrong or len(probes) != 1 else "")
        came = self.until("/readyz", (200, "healthy"), LAG_AFTER_HANGING)
        self.report.check("serve: healthy again after the probe is gone", "" if came is not None else f"it answers {self.ask('/readyz')}")
        until = time.monotonic() + CLEARED
        while probe in (seen := measure.processes()) and time.monotonic() < until:
            time.sleep(0.01)
        self.report.check("serve: the probe is reaped", f"process {probe} is {seen[probe]} after {CLEARED} s" if probe in seen else "")

    def ends(self):
        """Sends SIGTERM during a check that hangs and ignores SIGTERM."""
        self.machine.script(STATES["hanging"][0], "serve")
        time.sleep(INTERVAL + 0.5)
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return self.report.fail("serve: SIGTERM ends it at once", "still running after 5 s")
        took = time.monotonic() - start
        said = self.log.read_text()
        wrong = status != 0 or took > AT_ONCE or "panicked" in said
        self.report.check("serve: SIGTERM ends it at once", f"status {status} after {took:.2f} s: '{said[-200:]}'" if wrong else "")


def sample(growth, minutes, samples):
    """The minimum of a window."""
    for name, unit, allowance in samples[0]:
        growth.add(minutes, name, unit, min(one[name, unit, allowance] for one in samples), allowance)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
