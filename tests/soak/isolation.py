"""Namespaces in which nothing else runs, empty memory file systems, and control groups.

The program restarts itself in new mount, PID and network namespaces. Process 1 there reaps orphans, like an init
process in a container. The process outside always removes the control groups.
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
# Where the binary may write a file: directories() in start.rs.
TEMPORARY = ("/dev/shm", "/tmp", "/run", "/var/tmp")
# The rest of the fake machine: a kernel module, and device nodes that can be opened.
MODULE = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
NODES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9, "nvidiactl": 3, "nvidia-uvm": 3, "nvidia0": 3, "nvidia1": 3}


def is_inside():
    return MARK in os.environ


def enter():
    """Restarts this program in new namespaces; returns its exit status."""
    environment = dict(os.environ, **{MARK: str(os.getpid())})
    command = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", sys.executable, *sys.argv]
    try:
        return subprocess.run(command, env=environment).returncode
    finally:
        for group in CGROUPS.glob(f"*/{prefix(os.getpid())}*"):
            remove(group)


def furnish(binary, fakes):
    """Becomes a child of an init process, and copies the tested files into new file systems."""
    child = os.fork()
    if child:
        sys.exit(reap_orphans(child))
    up_loopback()
    mount("/dev")
    for name, minor in NODES.items():
        os.mknod(f"/dev/{name}", 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        os.chmod(f"/dev/{name}", 0o666)
    os.symlink("/proc/self/fd", "/dev/fd")
    os.mkdir("/dev/shm")
    mount("/run")
    # A separate mount, because tests remount the file systems around it.
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


def reap_orphans(child):
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
    """Creates a control group; None if the controller is not mounted."""
    parent = CGROUPS / controller
    if not (parent / "cgroup.procs").exists():
        return None
    made = parent / f"{prefix(os.environ[MARK])}-{name}"
    made.mkdir(exist_ok=True)
    for key, value in settings.items():
        (made / f"{controller}.{key}").write_text(str(value))
    return made


def join(made):
    """Moves this process into the group."""
    (made / "cgroup.procs").write_text("0")


def remove(made):
    """Thaws a group, and removes it once it is empty."""
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
