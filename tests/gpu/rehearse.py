#!/usr/bin/env python3
"""Rehearses run.py on the fake libraries of tests/fakes, and asks whether it says what it must.

    tests/gpu/rehearse.py BINARY FAKES        as root; FAKES: the directory of the built fakes

Here live the stand-ins: a script for the fakes and an nvidia-smi that tells of the same machine. Neither
run.py nor any evidence knows of them. Three rehearsals: a sound machine, on which just those claims differ
that fakes cannot keep; one with faults and an nvidia-smi that lies, on which more must differ; one without a GPU.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

MACHINE = {"name": "NVIDIA H100 Fake", "sms": 2, "memory_mib": 4096, "free_mib": 3000, "driver": "550.54.15"}
FAULTS = {"hide_sm": 1, "wrong_gemm": 1000, "persistence": 0, "ecc_uncorrected": 0}

# What fakes cannot keep: they share no memory between processes, and multiply on the CPU.
DIFFER = [
    r"(f32|tf32|f16|bf16): share of the device's peak",
    r"memory filled: .*(busy|noted).*",
]
# What must differ as well where the machine has faults and nvidia-smi lies.
DIFFER_TOO = [
    r"cudacheck --level (smoke|gemm)",
    r"GPU 0: every multiprocessor was seen",
    r"GPU 0: products in f32",
    r"GPU 0 persistence_mode",
    r"GPU 0 memory.total",
]

# ---- The stand-in for nvidia-smi: written from its own documentation, not from cudacheck's output ----


def stand_in(arguments):
    machine = {"persistence": 1, **json.loads(os.environ["STAND_IN"])}
    total = machine["memory_mib"] + machine.get("lie_mib", 0)
    gpu = {
        "index": 0, "name": machine["name"], "uuid": "GPU-00000000-0000-0000-0000-000000000000",
        "gpu_uuid": "GPU-00000000-0000-0000-0000-000000000000", "pci.bus_id": "00000000:10:00.0",
        "driver_version": machine["driver"], "compute_cap": "9.0", "memory.total": total,
        "memory.free": machine["free_mib"], "memory.used": total - machine["free_mib"], "compute_mode": "Default",
        "persistence_mode": "Enabled" if machine.get("smi_persistence", 1) else "Disabled",
        "mig.mode.current": "Disabled", "ecc.mode.current": "Enabled", "power.draw": "71.20", "power.limit": "700.00",
        "ecc.errors.uncorrected.volatile.total": 0, "ecc.errors.corrected.volatile.total": 0,
        "retired_pages.pending": "[N/A]", "pcie.link.gen.max": 5, "pcie.link.width.max": 16,
        "pcie.link.width.current": 16, "clocks.max.sm": 1980, "temperature.gpu": 41,
        "remapped_rows.correctable": 0, "remapped_rows.uncorrectable": 0, "remapped_rows.pending": "No",
        "remapped_rows.failure": "No",
    }
    query = re.match(r"--query-(gpu|compute-apps|remapped-rows)=(.*)", arguments[0] if arguments else "")
    if query and query[1] == "compute-apps":
        return 0
    if query:
        fields = query[2].split(",")
        unknown = [field for field in fields if field not in gpu]
        if unknown:
            print(f'Field "{unknown[0]}" is not a valid field to query.')
            return 2
        print(", ".join(str(gpu[field]) for field in fields))
    elif arguments[:1] == ["-L"]:
        print(f"GPU 0: {gpu['name']} (UUID: {gpu['uuid']})")
    elif arguments[:1] == ["nvlink"]:
        print(f"GPU 0: {gpu['name']}\n" + "\n".join(f"\t Link {link}: 26.562 GB/s" for link in range(18)))
    else:
        print(f"| NVIDIA-SMI {machine['driver']}   Driver Version: {machine['driver']}   CUDA Version: 12.4     |")
    return 0


# ---- The stage -----------------------------------------------------------------------------------

# Other CUDA libraries of this machine, among them the project's own parts, are put out of sight.
STAGE = """
set -e
for place in $HIDDEN; do if [ -d "$place" ]; then mount -t tmpfs tmpfs "$place"; fi; done
# Any character device that opens stands in for the driver's nodes.
if [ -n "$MODULE" ]; then for node in /dev/nvidia*; do if [ -c "$node" ]; then mount --bind /dev/null "$node"; fi; done; fi
if [ -n "$MODULE" ]; then mount --bind "$MODULE" /proc/driver; fi
exec "$@"
"""


def stage(directory, binary, fakes, machine, smi):
    """Copies what the rehearsal needs, and gives the environment for it."""
    shutil.copy(binary, directory / "cudacheck")
    shutil.copytree(fakes, directory / "fakes")
    (directory / "bin").mkdir()
    (directory / "bin/nvidia-smi").write_text(f'#!/bin/sh\nexec {sys.executable} {HERE}/rehearse.py --stand-in "$@"\n')
    (directory / "bin/nvidia-smi").chmod(0o755)
    (directory / "script").write_text("".join(f"{key} = {value}\n" for key, value in machine.items()))
    module = directory / "driver/nvidia"
    module.mkdir(parents=True)
    (module / "version").write_text(f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {machine['driver']}  Tue Mar  5 2024\n")
    (module / "params").write_text("RmProfilingAdminOnly: 1\n")
    return dict(os.environ, PATH=f"{directory}/bin:{os.environ['PATH']}", LD_LIBRARY_PATH=f"{directory}/fakes",
                FAKE_GPU=f"{directory}/script", STAND_IN=json.dumps({**machine, **smi}), MODULE=f"{directory}/driver")


def rehearse(title, binary, fakes, machine, smi, *arguments):
    """Exit status of run.py, and the claims that differ."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="rehearsal-") as scratch:
        directory = Path(scratch)
        environment = stage(directory, binary, fakes, machine, smi)
        hidden = [Path.home() / ".cache", "/tmp", "/var/lib/docker", ROOT / "target"]
        environment["HIDDEN"] = " ".join(map(str, hidden))
        if not arguments:  # without a GPU nothing of the fakes is there
            environment = {name: environment[name] for name in ["PATH", "HIDDEN"]} | {"MODULE": "", "PATH": os.environ["PATH"]}
        command = ["unshare", "--mount", "sh", "-c", STAGE, "sh", sys.executable, HERE / "run.py", directory / "cudacheck",
                   "--out", directory / "out", "--runs", "3", *arguments]
        print(f"==== {title}", flush=True)
        done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE)
        print(done.stdout, flush=True)
        files = {str(path.relative_to(directory / "out")): path.read_text() for path in directory.glob("out/*/*")}
    differing = [claim for text in files.values() for claim in re.findall(r"^\| (.*?) \|.*\| DIFFERS \|$", text, re.MULTILINE)]
    return done.returncode, differing, list(files)


def judge(differing, expected):
    """Claims that differ and should not, and expectations that nothing met."""
    wrong = [claim for claim in differing if not any(re.match(pattern, claim) for pattern in expected)]
    return wrong + [f"nothing differs like {pattern}" for pattern in expected if not any(re.match(pattern, claim) for claim in differing)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("fakes", type=Path)
    options = parser.parse_args()
    faults = []
    status, differing, written = rehearse("a sound machine", options.binary, options.fakes, MACHINE, {}, "--rehearse")
    faults += [f"exit {status}, not 1"] * (status != 1) + judge(differing, DIFFER)
    faults += [f"written: {written}"] * (not written or len(written) > 8 or not all(name.startswith("rehearsal-") for name in written))
    status, differing, _ = rehearse("faults, and an nvidia-smi that lies", options.binary, options.fakes,
                                    {**MACHINE, **FAULTS}, {"smi_persistence": 1, "lie_mib": 7}, "--rehearse")
    missing = [fault for fault in judge(differing, DIFFER_TOO) if fault.startswith("nothing")]
    faults += [f"exit {status}, not 1"] * (status != 1) + missing
    status, _, written = rehearse("no GPU", options.binary, options.fakes, MACHINE, {})
    faults += [f"without a GPU: exit {status}, not 3; written {written}"] * ((status, written) != (3, []))
    print("\n".join(["The rehearsal failed:", *faults]) if faults else "The rehearsal held.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(stand_in(sys.argv[2:]) if sys.argv[1:2] == ["--stand-in"] else main())
