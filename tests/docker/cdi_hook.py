#!/usr/bin/env python3
"""Replaces nvidia-cdi-hook, which a CDI specification runs in a container before it starts.

    cdi_hook.py create-symlinks --link TARGET::LINK ...
    cdi_hook.py update-ldcache --folder FOLDER ...
    cdi_hook.py show-module --driver DIRECTORY --devices FILE

The first two do what NVIDIA's hook does with the same arguments. The last one replaces the kernel module: it mounts
DIRECTORY over /proc/driver and FILE over /proc/devices. A mount of the specification could not do that, because
runtimes refuse mounts inside /proc. A createContainer hook runs in the container's namespaces before its root becomes
`/`; it gets the path of that root from standard input.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

# Runtimes start hooks without an environment.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def run(*command):
    subprocess.run(command, check=True, env=ENVIRONMENT)


def container_root():
    bundle = Path(json.load(sys.stdin)["bundle"])
    return bundle / json.loads((bundle / "config.json").read_text())["root"]["path"]


def create_symlinks(root, links):
    for target, link in (pair.split("::") for pair in links):
        place = root / link.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(place):
            place.symlink_to(target)


def update_ldcache(root, folders):
    configuration = root / "etc/ld.so.conf.d/00-nvcr-driver.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text("".join(f"{folder}\n" for folder in folders))
    if not (root / "etc/ld.so.conf").exists():
        (root / "etc/ld.so.conf").write_text("include /etc/ld.so.conf.d/*.conf\n")
    # Writes the cache, and the links for sonames.
    run("ldconfig", "-r", root)


def show_module(root, driver, devices):
    run("mount", "--bind", driver, root / "proc/driver")
    run("mount", "--bind", devices, root / "proc/devices")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["create-symlinks", "update-ldcache", "show-module"])
    parser.add_argument("--link", action="append", default=[])
    parser.add_argument("--folder", action="append", default=[])
    parser.add_argument("--driver")
    parser.add_argument("--devices")
    arguments = parser.parse_args()
    root = container_root()
    if arguments.command == "create-symlinks":
        create_symlinks(root, arguments.link)
    elif arguments.command == "update-ldcache":
        update_ldcache(root, arguments.folder)
    else:
        show_module(root, arguments.driver, arguments.devices)


if __name__ == "__main__":
    main()
