"""Slurm's scripts and node-problem-detector's plugin, run with stand-ins for cudacheck, scontrol and logger.

Whatever cudacheck does, the script must end as its caller expects, and drain a node for a GPU alone.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from files import DEPLOY, flag, load, seconds

PROLOG, HEALTH = DEPLOY / "slurm/prolog.sh", DEPLOY / "slurm/healthcheck.sh"
PLUGIN = DEPLOY / "node-problem-detector/check_gpu.sh"

# What a shell must not interpret, a second line, and more than anybody keeps.
NASTY = "unhealthy: \"A\" 'B' $(touch pwned) `touch pwned` \\n * %s -> run `x` & go; done " + "long " * 200
SAYS = NASTY + "\nsecond line\n"

# No verdict: not executable, a deadline from outside, killed. WRONG: wrong use, which ends with 1 and says something
# else than "unhealthy". MISSING: there is none.
OTHERS = ["WRONG", "2", "3", "126", "124", "137", "KILLED", "MISSING"]
USAGE = "error: unexpected argument '--gpuz' found\n\nUsage: cudacheck health [OPTIONS]\n"

# The arguments with which cudacheck was called, for `commands`.
SEEN: list[list[str]] = []

CUDACHECK = """#!/bin/sh
printf '%s\\n' "$@" >>"$STUBS/cudacheck.log"
cat "$STUBS/says"
[ "$STUB_STATUS" = KILLED ] && kill -KILL $$
exit "$STUB_STATUS"
"""
LOGGING = """#!/bin/sh
for word; do printf '%s\\036' "$word"; done >>"$STUBS/{name}.log"
printf '\\n' >>"$STUBS/{name}.log"
[ "$2" = show ] && echo "NodeName=n1 Arch=x86_64 State=$STUB_STATE ThreadsPerCore=2 Partitions=DRAIN_ME Reason=none"
exit "${{STUB_{name}:-0}}"
"""


class Run:
    """One run of a script, and what it called."""

    def __init__(self, script: Path, status: str, state="IDLE", scontrol="0", **environment):
        with tempfile.TemporaryDirectory() as folder:
            stubs = Path(folder)
            self.program(stubs, "scontrol", LOGGING.format(name="scontrol"))
            self.program(stubs, "logger", LOGGING.format(name="logger"))
            (stubs / "says").write_text(USAGE if status == "WRONG" else SAYS)
            status = "1" if status == "WRONG" else status
            if status == "MISSING":
                there = shutil.which("cudacheck", path="/usr/local/bin:/usr/bin:/bin:/opt/slurm/bin")
                assert not there, f"cannot be tried while {there} is installed"
            else:
                self.program(stubs, "cudacheck", CUDACHECK)
            # As Slurm gives it: almost nothing.
            given = {"PATH": f"{stubs}:/usr/bin:/bin", "STUBS": folder, "STUB_STATUS": status, "STUB_STATE": state}
            given |= {"STUB_scontrol": scontrol, "SLURMD_NODENAME": "n1"} | environment
            done = subprocess.run(
                [script], env=given, cwd=folder, capture_output=True, timeout=30, stdin=subprocess.DEVNULL
            )
            self.status, self.said = done.returncode, done.stdout.decode()
            self.arguments = (stubs / "cudacheck.log").read_text().split() if (stubs / "cudacheck.log").exists() else []
            self.scontrol, self.logger = self.calls(stubs, "scontrol"), self.calls(stubs, "logger")
            assert not (stubs / "pwned").exists(), f"{script.name} ran what cudacheck said"
        if self.arguments:
            SEEN.append(self.arguments)

    @staticmethod
    def program(folder: Path, name: str, text: str):
        (folder / name).write_text(text)
        os.chmod(folder / name, 0o755)

    @staticmethod
    def calls(folder: Path, name: str) -> list[list[str]]:
        log = folder / f"{name}.log"
        lines = log.read_text().split("\n")[:-1] if log.exists() else []
        return [line.split("\x1e")[:-1] for line in lines]

    def drained(self) -> str | None:
        """The reason, where the node was drained; it must be one line, and cudacheck's first."""
        updates = [call for call in self.scontrol if "update" in call]
        if not updates:
            return None
        (call,) = updates
        assert call[:3] == ["update", "nodename=n1", "state=drain"], call
        reason = call[3].removeprefix("reason=cudacheck: ")
        assert len(call) == 4 and reason != call[3] and NASTY.startswith(reason), call
        assert 100 < len(reason) <= 500, f"a reason of {len(reason)} characters"
        return reason


def is_logged(run: Run, status: str) -> bool:
    """Under a name and a priority, with the status; an exit by a signal is 137, and nothing found is 127."""
    number = {"KILLED": "137", "MISSING": "127", "WRONG": "1"}.get(status, status)
    return any("daemon.err" in call and f" {number}:" in call[-1] for call in run.logger)


def prolog():
    """the prolog drains and ends with 1 for a broken GPU alone"""
    run = Run(PROLOG, "0", SLURM_JOB_GPUS="0,3")
    assert (run.status, run.drained(), run.logger) == (0, None, [])
    assert flag(run.arguments, "--gpus") == "0,3", run.arguments
    for scontrol in ("0", "1"):  # the controller may be away
        run = Run(PROLOG, "1", scontrol=scontrol, SLURM_JOB_GPUS="0")
        assert run.status == 1 and run.drained(), f"{run.status}, {run.scontrol}"
    for status in OTHERS:
        run = Run(PROLOG, status, SLURM_JOB_GPUS="0")
        assert (run.status, run.drained()) == (0, None), f"{status}: ended with {run.status}, {run.scontrol}"
        assert is_logged(run, status), f"{status}: logged {run.logger}"


def prolog_without_gpus():
    """the prolog does nothing for a job without GPUs"""
    for environment in ({}, {"SLURM_JOB_GPUS": ""}):
        run = Run(PROLOG, "1", **environment)
        assert (run.status, run.arguments, run.scontrol) == (0, [], [])


def health_check():
    """HealthCheckProgram always ends with 0, and drains for a broken GPU alone"""
    run = Run(HEALTH, "0")
    assert (run.status, run.scontrol, run.logger) == (0, [], [])
    for scontrol in ("0", "1"):
        run = Run(HEALTH, "1", scontrol=scontrol)
        assert run.status == 0 and run.drained(), f"{run.status}, {run.scontrol}"
    for status in OTHERS:
        run = Run(HEALTH, status)
        assert (run.status, run.drained()) == (0, None), f"{status}: ended with {run.status}, {run.scontrol}"
        assert is_logged(run, status), f"{status}: logged {run.logger}"


def health_check_keeps_reasons():
    """HealthCheckProgram overwrites nobody's reason"""
    for state in ("IDLE+DRAIN", "MIXED+DRAIN", "DRAINED", "DRAINING*"):
        run = Run(HEALTH, "1", state=state)
        assert (run.status, run.drained()) == (0, None), f"{state}: {run.scontrol}"
    for state in ("ALLOCATED", "IDLE*", "DOWN"):
        assert Run(HEALTH, "1", state=state).drained(), state


def plugin():
    """node-problem-detector gets 0, 1, or 2 for what is not known, and one line"""
    limit = load("node-problem-detector/cudacheck-monitor.json")["pluginConfig"]["max_output_length"]
    for status, expected in [("0", 0), ("1", 1)]:
        run = Run(PLUGIN, status)
        assert (run.status, run.said) == (expected, NASTY + "\n"), f"{status}: {run.status}, {run.said!r}"
    for status in OTHERS:
        run = Run(PLUGIN, status)
        assert run.status == 2, f"{status}: ended with {run.status}"
        assert run.said.startswith("not checked") and run.said.count("\n") == 1 and limit > 80


def shells():
    """scripts run in every POSIX shell that is here"""
    for shell in ("dash", "bash", "busybox"):
        if path := shutil.which(shell):
            for script in (PROLOG, HEALTH, PLUGIN):
                words = [path, "sh", "-n", script] if shell == "busybox" else [path, "-n", script]
                done = subprocess.run(words, capture_output=True, text=True)
                assert done.returncode == 0, f"{shell} {script.name}: {done.stderr}"


def deadlines():
    """the scripts' --timeout is inside what their callers wait"""
    settings = {}
    for line in (DEPLOY / "slurm/slurm.conf").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            key, value = line.split("=", 1)
            settings[key] = value
    for key, script in (("Prolog", PROLOG), ("HealthCheckProgram", HEALTH)):
        name = settings[key].rsplit("/", 1)[1]
        assert settings[key].startswith("/") and name == script.name, f"{key}={settings[key]}"
    monitor = load("node-problem-detector/cudacheck-monitor.json")
    # Slurm kills a HealthCheckProgram after a minute, whatever is set.
    limits = {
        PROLOG: float(settings["PrologEpilogTimeout"]),
        HEALTH: min(60.0, float(settings["HealthCheckInterval"])),
        PLUGIN: seconds(monitor["rules"][0]["timeout"]),
    }
    times = {}
    for script, limit in limits.items():
        times[script] = seconds(flag(Run(script, "0", SLURM_JOB_GPUS="0").arguments, "--timeout"))
        # A second to start, and some for scontrol.
        assert times[script] + 3 <= limit, f"{script.name}: --timeout {times[script]} s is not inside {limit} s"
    assert times[HEALTH] > times[PROLOG], "a check of the prolog could not be waited for, and would drain"


CHECKS = [
    prolog, prolog_without_gpus, health_check, health_check_keeps_reasons, plugin, shells, deadlines,
]  # fmt: skip
