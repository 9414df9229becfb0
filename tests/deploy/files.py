"""Reads the files of deploy/ for several checks."""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PORT = 9476


def load(name: str):
    text = (DEPLOY / name).read_text()
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


def all_files() -> list[Path]:
    return sorted(path for path in DEPLOY.rglob("*") if path.is_file())


def seconds(time) -> float:
    """Of a duration as cudacheck, Docker, Prometheus and Go write it: 500ms, 30s, 2m, 1h, 14d."""
    found = re.fullmatch(r"([0-9.]+)(ms|s|m|h|d)", str(time))
    assert found, f"{time!r} is not a duration"
    return float(found[1]) * {"ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def flag(command: list[str], name: str) -> str | None:
    """The word after a flag."""
    return command[command.index(name) + 1] if name in command else None


def containers() -> list[tuple[str, dict, dict]]:
    """File, pod and container of each Kubernetes workload."""
    found = []
    for name in ("deployment", "daemonset", "fleet-job"):
        pod = load(f"kubernetes/{name}.yaml")["spec"]["template"]["spec"]
        found += [(name, pod, container) for container in pod["containers"]]
    return found


def probes(container: dict) -> dict[str, dict]:
    kinds = ("startup", "readiness", "liveness")
    return {kind: container[f"{kind}Probe"] for kind in kinds if f"{kind}Probe" in container}
