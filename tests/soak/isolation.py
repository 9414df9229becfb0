"""Namespaces in which nothing else runs, memory file systems that begin empty, and control groups.

The program starts itself again in new mount, PID and network namespaces. Process 1 there does what an
init process does in a container: it takes in orphans. What is left of control groups is removed by the
process outside, whatever happened inside.
"""

import fcntl
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MARK = "CUDACHECK_SOAK"
HOME = Path("/run/soak")
# Where the binary puts a file when it must: start.rs, directories().
TEMPORARY = ("/dev/shm", "/tmp", "/run", "/var/tmp")
# The machine beside the fake libraries: a kernel module, and nodes that open.
MODULE = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
NODES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9, "nvidiactl": 3, "nvidia-uvm": 3, "nvidia0": 3, "nvidia1": 3}


def is_inside():
    return MARK in os.environ


def enter():
    """Runs this program again inside; returns its exit status."""
    environment = dict(os.environ, **{MARK: str(os.getpid())})
    command = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", sys.executable, *sys.argv]
    try:
        return subprocess.run(command, env=environment).returncode
    finally:
        for group in CGROUPS.glob(f"*/{prefix(os.getpid())}*"):
            remove(group)


def furnish(binary, fakes):
    """Becomes a child of an init process, and puts what is tested into file systems of its own."""
    child = os.fork()
    if child:
        sys.exit(take_in_orphans(child))
    up_loopback()
    mount("/dev")
    for name, minor in NODES.items():
        os.mknod(f"/dev/{name}", 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        os.chmod(f"/dev/{name}", 0o666)
    os.symlink("/proc/self/fd", "/dev/fd")
    os.mkdir("/dev/shm")
    mount("/run")
    # A mount of its own, since what is around it is made read-only later, and such.
    HOME.mkdir()
    mount(HOME)
    shutil.copy(binary, HOME / "cudacheck")
    shutil.copytree(fakes, HOME / "fakes")
    for directory in TEMPORARY:
        if directory != "/run":
            mount(directory)
    module = HOME / "driver/nvidia"
    module.mkdir(parents=True)
    (module / "version").write_text(MODULE)
    (module / "params").write_text("RmProfilingAdminOnly: 1\n")
    subprocess.run(["mount", "--bind", module.parent, "/proc/driver"], check=True)
    return HOME


def mount(directory):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "soak", directory], check=True)


def take_in_orphans(child):
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status) & 0xFF


def up_loopback():
    request = struct.pack("16sH14s", b"lo", 1 | 0x40, b"")  # IFF_UP, IFF_RUNNING
    with socket.socket() as handle:
        fcntl.ioctl(handle, 0x8914, request)  # SIOCSIFFLAGS


# --- control groups, version 1 -----------------------------------------------------------------------

def prefix(token):
    return f"cudacheck-soak-{token}"


def group(controller, name, **settings):
    """A new control group, or None where the controller is not mounted. `.` is written `__`."""
    parent = CGROUPS / controller
    if not (parent / "cgroup.procs").exists():
        return None
    made = parent / f"{prefix(os.environ[MARK])}-{name}"
    made.mkdir(exist_ok=True)
    for key, value in settings.items():
        (made / f"{controller}.{key}").write_text(str(value))
    return made


def join(made):
    """Moves the calling process."""
    (made / "cgroup.procs").write_text("0")


def remove(made):
    """Ends what is in a group, and the group."""
    freezer = made / "freezer.state"
    if freezer.exists():
        freezer.write_text("THAWED")
    for _ in range(100):
        try:
            made.rmdir()
            return True
        except FileNotFoundError:
            return True
        except OSError:
            time.sleep(0.02)
    return False
