#!/usr/bin/env python3
"""Compares predictions about real stacks of packages with a table of answers that were derived without cudacheck.

    predictions.py BINARY [STACK]...

The table is expected/predictions.toml; predictions.md says where its answers come from. A stack is a directory below
$CUDACHECK_PARTS/stacks (default ~/.cache/cudacheck/stacks). One that is missing is skipped, or a failure with
CUDACHECK_REAL=1. Besides the verdict, the findings must name one of the packages that decide.
"""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

STACKS = Path(os.environ.get("CUDACHECK_PARTS", Path.home() / ".cache/cudacheck")) / "stacks"
TABLE = Path(__file__).with_name("expected") / "predictions.toml"
VERDICTS = {"works", "works-with-notes", "fails", "unknown"}


def predictions(binary, root, machines):
    """One prediction for each machine."""
    flags = [flag for machine in machines for flag in ("--on", machine)]
    command = [binary, "image", str(root), *flags, "--format", "json"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode not in (0, 1, 3):
        sys.exit(f"{' '.join(command)}: {run.stderr}")
    return json.loads(run.stdout)["predictions"]


def compare(cell, prediction, decides):
    """What is wrong with a prediction, or None."""
    right, why, *today = cell
    wanted = today[0] if today else right
    seen = prediction["verdict"]
    if today and seen == right:
        return f"is {right} now: remove '{today[0]}' from the table"
    if seen != wanted:
        return f"{seen}, not {wanted} ({why})"
    causes = [finding["cause"] for finding in prediction["findings"]]
    if decides and causes and not any(name in cause for name in decides for cause in causes):
        return f"no finding names {' or '.join(decides)}: {causes}"
    return None


def check(table):
    """A table with a typing error must not pass."""
    for name, stack in table["stacks"].items():
        cells = {key: value for key, value in stack.items() if isinstance(value, list) and key != "decides"}
        assert cells.keys() == table["machines"].keys(), name
        assert all(2 <= len(cell) <= 3 and set(cell[:1] + cell[2:]) <= VERDICTS for cell in cells.values()), name


def main():
    binary, *chosen = sys.argv[1:] or sys.exit(__doc__)
    table = tomllib.loads(TABLE.read_text())
    check(table)
    machines = table["machines"]
    wrong, compared, missing = 0, 0, []
    for name, stack in table["stacks"].items():
        if chosen and name not in chosen:
            continue
        if not (STACKS / name).is_dir():
            missing.append(name)
            continue
        for machine, prediction in zip(machines, predictions(binary, STACKS / name, machines.values()), strict=True):
            compared += 1
            problem = compare(stack[machine], prediction, stack["decides"])
            if problem:
                wrong += 1
                print(f"{name} on {machine}: {problem}")
    print(f"{compared} predictions compared, {wrong} wrong")
    for name in missing:
        print(f"SKIPPED: {STACKS / name} is missing: run tests/real/parts.sh")
    must = os.environ.get("CUDACHECK_REAL") == "1"
    sys.exit(bool(wrong or compared == 0 or missing and must))


main()
