"""Kubernetes, Compose and node-problem-detector: schemas, and relations that schemas cannot express."""

import re
import warnings

import jsonschema
import kubernetes_validate

from files import DEPLOY, PORT, all_files, containers, flag, load, probes, seconds

# The oldest version with every used feature stable (backoffLimitPerIndex), and the newest known version.
VERSIONS = ("1.33", "1.37")

# Seconds beyond --timeout for cudacheck and its caller.
MARGIN = 1.0

# The used part of the operator's resource, to find misspelled keys.
POD_MONITOR = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "kind": {"const": "PodMonitor"},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["selector", "podMetricsEndpoints"],
            "properties": {
                "jobLabel": {"type": "string"},
                "namespaceSelector": {"type": "object"},
                "selector": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"matchLabels": {"type": "object", "minProperties": 1}},
                },
                "podMetricsEndpoints": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["port"],
                        "properties": {
                            "port": {"type": "string"},
                            "path": {"type": "string", "pattern": "^/"},
                            "interval": {"type": "string", "pattern": "^[0-9]+s$"},
                            "scrapeTimeout": {"type": "string", "pattern": "^[0-9]+s$"},
                            "relabelings": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "additionalProperties": False,
                                    "properties": {
                                        "sourceLabels": {"type": "array", "items": {"type": "string"}},
                                        "targetLabel": {"type": "string"},
                                        "action": {"type": "string"},
                                        "regex": {"type": "string"},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def kubernetes_schemas():
    """the manifests match Kubernetes' schemas, strictly"""
    for name in ("deployment", "daemonset", "fleet-job"):
        for version in VERSIONS:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    kubernetes_validate.validate(load(f"kubernetes/{name}.yaml"), version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    raise AssertionError(f"{name}.yaml, {version}: {error.message} at {list(error.path)}") from None
    known = {"deployment.yaml", "daemonset.yaml", "fleet-job.yaml", "podmonitor.yaml"}
    there = {path.name for path in (DEPLOY / "kubernetes").iterdir()}
    assert there == known, f"not checked: {there ^ known}"


def pod_monitor():
    """the PodMonitor finds the DaemonSet"""
    monitor, daemons = load("kubernetes/podmonitor.yaml"), load("kubernetes/daemonset.yaml")
    jsonschema.validate(monitor, POD_MONITOR)
    labels = daemons["spec"]["template"]["metadata"]["labels"]
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= labels.items(), f"{wanted} selects no pod with {labels}"
    ports = {port["name"] for port in daemons["spec"]["template"]["spec"]["containers"][0]["ports"]}
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        assert endpoint["port"] in ports, f"the DaemonSet has no port {endpoint['port']}"
        assert seconds(endpoint["scrapeTimeout"]) < seconds(endpoint["interval"])
    job = labels[monitor["spec"]["jobLabel"]]
    assert job == "cudacheck", f"the alerts use job cudacheck, not {job}"


def selectors():
    """workloads select their own pods"""
    for name in ("deployment", "daemonset"):
        spec = load(f"kubernetes/{name}.yaml")["spec"]
        assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items(), name


def inside(where: str, command: list[str], limit: float):
    own = flag(command, "--timeout")
    assert own, f"{where}: no --timeout"
    assert seconds(own) + MARGIN <= limit, f"{where}: --timeout {own} is not shorter than {limit} s"


def exec_deadlines():
    """each exec probe's --timeout is shorter than its timeoutSeconds"""
    count = 0
    for name, _, container in containers():
        for kind, probe in probes(container).items():
            assert "timeoutSeconds" in probe, f"{name} {kind}: the default is 1 s"
            if "exec" in probe:
                inside(f"{name} {kind}", probe["exec"]["command"], probe["timeoutSeconds"])
                count += 1
    assert count == 3, f"{count} exec probes, not 3"


def probe_purposes():
    """each exec probe has --for, and only the startup probe uses level gemm"""
    probe_of = probes(containers()[0][2])
    assert set(probe_of) == {"startup", "readiness", "liveness"}
    for kind, probe in probe_of.items():
        command = probe["exec"]["command"]
        assert command[:2] == ["/usr/local/bin/cudacheck", "health"], command
        assert flag(command, "--for") == kind, f"{kind}: {command}"
        level = "gemm" if kind == "startup" else "nvml"
        assert flag(command, "--level") == level, f"{kind}: {command}"
        if kind != "readiness":
            assert probe.get("successThreshold", 1) == 1


def http_probes():
    """the DaemonSet's probes use the endpoints and the port of serve"""
    _, _, container = containers()[1]
    address, port = flag(container["command"], "--listen").split(":")
    assert address == "0.0.0.0", "the kubelet uses the address of the pod"
    named = {entry["name"]: entry["containerPort"] for entry in container["ports"]}
    assert named == {"metrics": int(port)}, f"{named}, and serve listens on {port}"
    paths = {kind: probe["httpGet"]["path"] for kind, probe in probes(container).items()}
    # A startup probe would restart the monitor of a broken GPU again and again.
    assert paths == {"readiness": "/readyz", "liveness": "/livez"}, paths
    for probe in probes(container).values():
        assert probe["httpGet"]["port"] == "metrics"


def gpus():
    """--require-gpus matches the requested GPUs, and the DaemonSet requests none"""
    for name, pod, container in containers():
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        asked = limits.get("nvidia.com/gpu")
        assert requests.get("nvidia.com/gpu", asked) == asked, f"{name}: {requests} and {limits}"
        commands = [probe["exec"]["command"] for probe in probes(container).values() if "exec" in probe]
        commands += [container["command"]] if "command" in container else []
        required = {flag(command, "--require-gpus") for command in commands} - {None}
        if name == "daemonset":
            assert asked is None and not required, f"{name}: {asked}, {required}"
            assert pod["runtimeClassName"] == "nvidia"
            assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"} in container["env"]
            assert flag(container["command"], "--level") == "nvml", "workloads use these GPUs"
        else:
            assert required == {str(asked)}, f"{name}: {asked} GPUs, --require-gpus {required}"


def rights():
    """pods have no more rights than they need"""
    for name, pod, container in containers():
        context, own = pod["securityContext"], container["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True, name
        assert own["capabilities"] == {"drop": ["ALL"]} and not own.get("privileged"), name
        assert pod["automountServiceAccountToken"] is False, name
        assert "memory" in container["resources"]["limits"], name
    for name, service in load("compose.yaml")["services"].items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service["user"].startswith("0"), name


def fleet():
    """the fleet's Job runs one pod per node, and handles each exit status"""
    spec = load("kubernetes/fleet-job.yaml")["spec"]
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    assert spec["completionMode"] == "Indexed" and spec["completions"] == spec["parallelism"]
    assert pod["restartPolicy"] == "Never", "podFailurePolicy requires it"
    rules = spec["podFailurePolicy"]["rules"]
    actions = {}
    for rule in rules:
        codes = rule.get("onExitCodes")
        if codes:
            assert codes["containerName"] == container["name"] and codes["operator"] == "In"
            actions |= {code: rule["action"] for code in codes["values"]}
    # A failing node must not end the checks of the others.
    assert actions == {1: "FailIndex", 2: "FailIndex"} and spec["backoffLimitPerIndex"] >= 1, actions
    assert rules[0] == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    (term,) = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    labels = spec["template"]["metadata"]["labels"]
    assert term["labelSelector"]["matchLabels"].items() <= labels.items(), "it does not select its own pods"
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    file = flag(container["command"], "--textfile")
    assert file.endswith(".prom") and file.rsplit("/", 1)[0] in mounts, f"{file} is not in any of {mounts}"
    assert flag(container["command"], "--format") == "json" and flag(container["command"], "--level") == "gemm"
    inside("the fleet's Job", container["command"], spec["activeDeadlineSeconds"])


def compose():
    """Compose's health check is in exec form, with a shorter timeout than Docker's"""
    services = load("compose.yaml")["services"]
    check = services["app"]["healthcheck"]
    assert check["test"][:3] == ["CMD", "/usr/local/bin/cudacheck", "health"], check["test"]
    inside("compose", check["test"], seconds(check["timeout"]))
    assert seconds(check["interval"]) > 0 and seconds(check["start_period"]) > 0
    serve = services["cudacheck"]
    # Only published on the host's loopback.
    assert serve["ports"] == [f"127.0.0.1:{PORT}:{PORT}"] and flag(serve["entrypoint"], "--listen") == f"0.0.0.0:{PORT}"
    devices = [service["deploy"]["resources"]["reservations"]["devices"] for service in services.values()]
    assert devices[0] == devices[1], "serve must have the GPUs of the application"
    (asked,) = devices[0]
    assert flag(check["test"], "--require-gpus") == str(asked["count"])


def ports():
    """all files use the same port"""
    count = 0
    for path in all_files():
        for found in re.finditer(r"(?:localhost|[0-9]+(?:\.[0-9]+){3}):([0-9]+)|containerPort: *([0-9]+)", path.read_text()):
            port = int(found[1] or found[2])
            assert port == PORT, f"{path.name} says {found[0]}"
            count += 1
    assert count >= 6, f"only {count} uses of a port"


def images():
    """all images are the placeholder"""
    for path in all_files():
        for image in re.findall(r"^ *-? *image: *(\S+)", path.read_text(), re.M):
            assert image == "my-app:1.0", f"{path.name}: {image}"


def detector():
    """node-problem-detector knows all settings"""
    monitor = load("node-problem-detector/cudacheck-monitor.json")
    # It silently ignores unknown keys.
    assert set(monitor) == {"plugin", "pluginConfig", "source", "metricsReporting", "conditions", "rules"}
    settings = monitor["pluginConfig"]
    known = {"invoke_interval", "timeout", "max_output_length", "concurrency", "skip_initial_status"}
    assert set(settings) == known | {"enable_message_change_based_condition_update"}, set(settings)
    assert monitor["plugin"] == "custom" and settings["max_output_length"] > 80, "80 bytes are too few for the fix"
    assert settings["skip_initial_status"] is True, "an unchecked node is not healthy"
    assert seconds(settings["timeout"]) < seconds(settings["invoke_interval"])
    conditions = {condition["type"] for condition in monitor["conditions"]}
    for condition in monitor["conditions"]:
        assert set(condition) == {"type", "reason", "message"}
    for rule in monitor["rules"]:
        assert set(rule) == {"type", "condition", "reason", "path", "timeout"}, set(rule)
        assert rule["type"] == "permanent" and rule["condition"] in conditions
        assert seconds(rule["timeout"]) <= seconds(settings["timeout"])
        plugin = DEPLOY / "node-problem-detector" / rule["path"].rsplit("/", 1)[1]
        assert plugin.stat().st_mode & 0o111, f"{plugin} is not executable"


def readme():
    """the README names every file, and no other"""
    rows = re.findall(r"^\| (`.+?) \|", (DEPLOY / "README.md").read_text(), re.M)
    named = set()
    for row in rows:
        folder = ""
        for name in re.findall(r"`([^`]+)`", row):
            # Later names in a cell are in the folder of the first.
            folder = name.rsplit("/", 1)[0] + "/" if "/" in name else folder
            named.add(name if "/" in name else folder + name)
    there = {str(path.relative_to(DEPLOY)) for path in all_files()} - {"README.md"}
    missing = {name for name in there if name not in named and name.rsplit("/", 1)[0] + "/" not in named}
    assert not missing, f"not named: {missing}"
    wrong = {name for name in named if not (DEPLOY / name).exists()}
    assert not wrong, f"no such files: {wrong}"


CHECKS = [
    kubernetes_schemas, pod_monitor, selectors, exec_deadlines, probe_purposes, http_probes, gpus, rights, fleet,
    compose, ports, images, detector, readme,
]  # fmt: skip
