#!/usr/bin/env python3
"""Checks deploy/ against schemas, and its files against each other and against cudacheck.

    tests/deploy/check.py [BINARY]        needs kubernetes-validate==1.37.0 and promtool

- `manifests`  Kubernetes, Compose, node-problem-detector: schemas, deadlines, ports, GPUs, rights
- `metrics`    alerts, their tests and the dashboard, against docs/metrics.md and docs/checks.md
- `scripts`    scripts for Slurm and node-problem-detector, run with fake cudacheck and scontrol
- `commands`   every command line of cudacheck in deploy/, parsed by BINARY

Each module has a list CHECKS of functions; a check fails by raising an exception. Prints `ok NAME` or `FAIL NAME: WHY`
for each check; the exit status is 1 if one failed.
"""

import sys
import traceback

import commands
import manifests
import metrics
import scripts


def main() -> int:
    commands.BINARY = sys.argv[1] if len(sys.argv) > 1 else None
    failed = 0
    for module in (manifests, metrics, scripts, commands):
        for check in module.CHECKS:
            name = f"{module.__name__}: {(check.__doc__ or check.__name__).splitlines()[0]}"
            if module is commands and commands.BINARY is None:
                print(f"skip {name}: needs BINARY")
                continue
            try:
                check()
                print(f"ok {name}")
            except AssertionError as error:
                failed += 1
                print(f"FAIL {name}: {error}")
            except Exception:  # for example a missing key in a file
                failed += 1
                print(f"FAIL {name}: {traceback.format_exc(limit=-2).strip()}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
