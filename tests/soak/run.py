#!/usr/bin/env python3
"""Leak and endurance tests: `health` can run every ten seconds for a year, with `serve` on the same machine.

    run.py BINARY FAKES [--calls N] [--serve MINUTES] [--only GROUP]... [--seed N]

FAKES is the directory of the fake GPU libraries (tests/fakes/README.md). The groups are repeated, kill, deadline,
limits and serve; README.md explains them. Everything runs in new namespaces with empty file systems, so that anything
left there comes from these calls. Needs root, Linux and unshare. Prints tables, `ok` and `FAIL` lines and `N passed, N
failed`; the exit status is 1 if one failed.
"""

import argparse
import os
import random
import signal
import sys
import time
from pathlib import Path

import deadline
import isolation
import kill
import limits
import measure
import repeated
import serve

GROUPS = {"repeated": repeated, "kill": kill, "deadline": deadline, "limits": limits, "serve": serve}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("fakes", type=Path)
    parser.add_argument("--calls", type=int, default=2000, help="number of calls in the group repeated; other groups scale with it")
    parser.add_argument("--serve", type=float, default=10, metavar="MINUTES", help="duration of the group serve")
    parser.add_argument("--only", action="append", choices=GROUPS, metavar="GROUP", help="run only this group; may be repeated")
    parser.add_argument("--seed", type=int, help="seed of random choices; default: a new one, which is printed")
    return parser.parse_args()


def main():
    options = arguments()
    if os.geteuid() != 0:
        sys.exit("run.py needs root: it makes namespaces and control groups")
    for path in (options.binary, options.fakes / "libcuda.so.1", options.fakes / "libnvidia-ml.so.1"):
        if not path.exists():
            sys.exit(f"{path} does not exist")
    if not isolation.is_inside():
        # So that SIGTERM ends all child processes and removes the control groups.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        sys.exit(isolation.enter())
    machine = measure.Machine(isolation.furnish(options.binary, options.fakes))
    report = measure.Report()
    options.random = random.Random()
    seed = options.random.randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Linux {os.uname().release}")
    for name, group in GROUPS.items():
        if options.only and name not in options.only:
            continue
        print(f"\n== {name} ==", flush=True)
        options.random.seed(f"{seed} {name}")
        start = time.monotonic()
        try:
            group.run(machine, report, options)
        except Exception as error:  # the other groups must run
            report.fail(f"{name}: the group crashed", repr(error))
            measure.trace(error)
        print(f"{name} took {time.monotonic() - start:.0f} s", flush=True)
    print(f"\n{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
