"""Runs Slurm's scripts and node-problem-detector's plugin with fake cudacheck, scontrol and logger.

Whatever cudacheck does, the script must exit as its caller expects, and only drain a node because of a GPU.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from files import DEPLOY, flag, load, seconds

PROLOG, HEALTH = DEPLOY / "slurm/prolog.sh", DEPLOY / "slurm/healthcheck.sh"
PLUGIN = DEPLOY / "node-problem-detector/check_gpu.sh"

# Text that a shell must not interpret, longer than any caller keeps, and with a second line.
NASTY = "unhealthy: \"A\" 'B' $(touch pwned) `touch pwned` \\n * %s -> run `x` & go; done " + "long " * 200
SAYS = NASTY + "\nsecond line\n"

# Without a verdict: not executable, timed out, killed. WRONG: wrong arguments, which exit with 1 but do not print
# "unhealthy". MISSING: cudacheck is not installed.
OTHERS = ["WRONG", "2", "3", "126", "124", "137", "KILLED", "MISSING"]
USAGE = "error: unexpected argument '--gpuz' found\n\nUsage: cudacheck health [OPTIONS]\n"

# The arguments of each cudacheck call, for `commands`.
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
    """Runs a script and records its calls."""

    def __init__(self, script: Path, status: str, state="IDLE", scontrol="0", **environment):
        with tempfile.TemporaryDirectory() as folder:
            stubs = Path(folder)
            self.program(stubs, "scontrol", LOGGING.format(name="scontrol"))
            self.program(stubs, "logger", LOGGING.format(name="logger"))
            (stubs / "says").write_text(USAGE if status == "WRONG" else SAYS)
            status = "1" if status == "WRONG" else status
            if status == "MISSING":
                there = shutil.which("cudacheck", path="/usr/local/bin:/usr/bin:/bin:/opt/slurm/bin")
                assert not there, f"impossible while {there} is installed"
            else:
                self.program(stubs, "cudacheck", CUDACHECK)
            # A minimal environment, as Slurm sets it.
            given = {"PATH": f"{stubs}:/usr/bin:/bin", "STUBS": folder, "STUB_STATUS": status, "STUB_STATE": state}
            given |= {"STUB_scontrol": scontrol, "SLURMD_NODENAME": "n1"} | environment
            done = subprocess.run(
                [script], env=given, cwd=folder, capture_output=True, timeout=30, stdin=subprocess.DEVNULL
            )
            self.status, self.said = done.returncode, done.stdout.decode()
            self.arguments = (stubs / "cudacheck.log").read_text().split() if (stubs / "cudacheck.log").exists() else []
            self.scontrol, self.logger = self.calls(stubs, "scontrol"), self.calls(stubs, "logger")
            assert not (stubs / "pwned").exists(), f"{script.name} executed output of cudacheck"
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
        """The reason if the node was drained; it must be the first line of cudacheck."""
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
    """With priority and exit status: 137 after SIGKILL, 127 if cudacheck is missing."""
    number = {"KILLED": "137", "MISSING": "127", "WRONG": "1"}.get(status, status)
    return any("daemon.err" in call and f" {number}:" in call[-1] for call in run.logger)


def prolog():
    """the prolog drains the node and exits with 1 only for a broken GPU"""
    run = Run(PROLOG, "0", SLURM_JOB_GPUS="0,3")
    assert (run.status, run.drained(), run.logger) == (0, None, [])
    assert flag(run.arguments, "--gpus") == "0,3", run.arguments
    for scontrol in ("0", "1"):  # the controller may be down
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
    """HealthCheckProgram always exits with 0, and drains only for a broken GPU"""
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
    """HealthCheckProgram keeps the reason of a drained node"""
    for state in ("IDLE+DRAIN", "MIXED+DRAIN", "DRAINED", "DRAINING*"):
        run = Run(HEALTH, "1", state=state)
        assert (run.status, run.drained()) == (0, None), f"{state}: {run.scontrol}"
    for state in ("ALLOCATED", "IDLE*", "DOWN"):
        assert Run(HEALTH, "1", state=state).drained(), state


def plugin():
    """the plugin exits with 0, 1, or 2 (unknown), and prints one line"""
    limit = load("node-problem-detector/cudacheck-monitor.json")["pluginConfig"]["max_output_length"]
    for status, expected in [("0", 0), ("1", 1)]:
        run = Run(PLUGIN, status)
        assert (run.status, run.said) == (expected, NASTY + "\n"), f"{status}: {run.status}, {run.said!r}"
    for status in OTHERS:
        run = Run(PLUGIN, status)
        assert run.status == 2, f"{status}: ended with {run.status}"
        assert run.said.startswith("not checked") and run.said.count("\n") == 1 and limit > 80


def shells():
    """every installed POSIX shell can parse the scripts"""
    for shell in ("dash", "bash", "busybox"):
        if path := shutil.which(shell):
            for script in (PROLOG, HEALTH, PLUGIN):
                words = [path, "sh", "-n", script] if shell == "busybox" else [path, "-n", script]
                done = subprocess.run(words, capture_output=True, text=True)
                assert done.returncode == 0, f"{shell} {script.name}: {done.stderr}"


def deadlines():
    """the scripts' --timeout is shorter than the timeouts of their callers"""
    settings = {}
    for line in (DEPLOY / "slurm/slurm.conf").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            key, value = line.split("=", 1)
            settings[key] = value
    for key, script in (("Prolog", PROLOG), ("HealthCheckProgram", HEALTH)):
        name = settings[key].rsplit("/", 1)[1]
        assert settings[key].startswith("/") and name == script.name, f"{key}={settings[key]}"
    monitor = load("node-problem-detector/cudacheck-monitor.json")
    # Slurm always kills a HealthCheckProgram after 60 s.
    limits = {
        PROLOG: float(settings["PrologEpilogTimeout"]),
        HEALTH: min(60.0, float(settings["HealthCheckInterval"])),
        PLUGIN: seconds(monitor["rules"][0]["timeout"]),
    }
    times = {}
    for script, limit in limits.items():
        times[script] = seconds(flag(Run(script, "0", SLURM_JOB_GPUS="0").arguments, "--timeout"))
        # One second to start, and two for scontrol.
        assert times[script] + 3 <= limit, f"{script.name}: --timeout {times[script]} s is not shorter than {limit} s"
    assert times[HEALTH] > times[PROLOG], "a running check of the prolog would make it drain the node"


CHECKS = [
    prolog, prolog_without_gpus, health_check, health_check_keeps_reasons, plugin, shells, deadlines,
]  # fmt: skip
