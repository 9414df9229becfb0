"""Alerts, their tests and the dashboard only use metrics and labels that cudacheck exports.

docs/metrics.md has a row for each metric: | `name` | type | labels | meaning |
"""

import json
import re
import subprocess
import tempfile
from functools import cache

import yaml

from files import DEPLOY, ROOT, all_files, containers, flag, load, seconds

NAME = re.compile(r"\bcudacheck_[a-z0-9_]+")
# Labels that Prometheus adds, and its own metrics.
TARGET_LABELS = {"job", "instance", "__name__"}
OTHERS = {"up"}


@cache
def published() -> dict[str, tuple[str, set[str]]]:
    """Type and labels by name."""
    file = ROOT / "docs/metrics.md"
    assert file.exists(), "docs/metrics.md does not exist"
    rows = re.findall(r"^\| *`(cudacheck_\w+)` *\|([^|]*)\|((?:[^|\\]|\\.)*)\|", file.read_text(), re.M)
    assert len(rows) >= 10, f"docs/metrics.md has {len(rows)} rows of metrics"
    return {name: (kind.strip(" `"), set(re.findall(r"\w+", labels))) for name, kind, labels in rows}


def alerts() -> list[dict]:
    return [rule for group in load("prometheus/rules.yaml")["groups"] for rule in group["rules"]]


def panels() -> list[dict]:
    return load("grafana/dashboard.json")["panels"]


def expressions() -> list[tuple[str, str]]:
    found = [(rule["alert"], rule["expr"]) for rule in alerts()]
    for rule in alerts():
        found += [(rule["alert"], query) for query in re.findall(r"printf `([^`]*)`", str(rule["annotations"]))]
    return found + [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]


def known_names():
    """every metric and label in alerts and panels exists"""
    for where, expression in expressions():
        names = NAME.findall(expression)
        assert names or OTHERS & set(re.findall(r"\w+", expression)), f"{where} uses no metric"
        for name in names:
            assert name in published(), f"{where}: {name} is not in docs/metrics.md"
        for name, selector in re.findall(r"\b(cudacheck_\w+)\{([^}]*)\}", expression):
            labels = set(re.findall(r"(\w+) *(?:=~|!~|!=|=) *\"", selector))
            unknown = labels - published()[name][1] - TARGET_LABELS
            assert not unknown, f"{where}: {name} has no label {unknown}"


def known_in_tests():
    """the series in tests of alerts have the labels that cudacheck exports"""
    for test in load("prometheus/rules_test.yaml")["tests"]:
        for entry in test["input_series"]:
            name, selector = re.fullmatch(r"(\w+)\{(.*)\}", entry["series"]).groups()
            if name in OTHERS:
                continue
            assert name in published(), f"{test['name']}: {name} is not in docs/metrics.md"
            labels = set(re.findall(r"(\w+)=\"", selector)) - TARGET_LABELS
            assert labels == published()[name][1], f"{test['name']}: {name} has {published()[name][1]}, not {labels}"


def counters():
    """rate and resets are used with counters, and only with counters"""
    for where, expression in expressions():
        inner = re.findall(r"\b(?:rate|increase|resets)\((cudacheck_\w+)", expression)
        for name in set(NAME.findall(expression)):
            counter = published()[name][0] == "counter"
            assert counter == name.endswith("_total"), name
            assert (name in inner) == counter, f"{where}: {name} is a {published()[name][0]}"


def everything_shown():
    """the dashboard shows every metric"""
    shown = {name for panel in panels() for target in panel["targets"] for name in NAME.findall(target["expr"])}
    assert not set(published()) - shown, f"in no panel: {set(published()) - shown}"


def promql():
    """every expression of the dashboard is PromQL"""
    rules = []
    for number, (where, expression) in enumerate(expressions()):
        plain = expression.replace("$__rate_interval", "5m")
        plain = re.sub(r"\"\$\w+\"", '".*"', plain).replace("%s", "x")
        assert "$" not in plain, f"{where}: {expression}"
        rules.append({"record": f"expression:{number}", "expr": plain})
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"groups": [{"name": "expressions", "rules": rules}]}, file)
        file.flush()
        done = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def dashboard():
    """the dashboard's panels do not overlap, and its variables exist"""
    board = load("grafana/dashboard.json")
    variables = {variable["name"] for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(board)))
    assert used == variables, f"used {used}, defined {variables}"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) and ids, "ids repeat"
    taken = {}
    for panel in board["panels"]:
        assert panel["targets"] and panel["title"] and panel["description"], panel["title"]
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, f"{panel['title']} is outside of the grid"
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            assert cell not in taken, f"{panel['title']} overlaps {taken[cell]}"
            taken[cell] = panel["title"]


def complete_alerts():
    """each alert has a severity, a summary, a description and a duration"""
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))
    for rule in alerts():
        name = rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), name
        assert set(rule["annotations"]) == {"summary", "description"}, name
        # resets() covers half an hour, which serves as the duration.
        assert "for" in rule or "resets" in rule["expr"], f"{name} fires at once"


def tested_alerts():
    """each alert has a test in which it fires and one in which it does not"""
    fires, silent = set(), set()
    for test in load("prometheus/rules_test.yaml")["tests"]:
        for case in test["alert_rule_test"]:
            (fires if case["exp_alerts"] else silent).add(case["alertname"])
    names = {rule["alert"] for rule in alerts()}
    assert fires == names, f"never fires, or unknown: {fires ^ names}"
    assert silent == names, f"never silent, or unknown: {silent ^ names}"


def pace():
    """the alerts fit the intervals of checks and scrapes in deploy/"""
    head = (DEPLOY / "prometheus/rules.yaml").read_text()
    said = re.search(r"--interval` of (\d+) s or less, a `--timeout` of (\d+) s or less and scrapes every (\d+) s", head)
    assert said, "the comment at the top of rules.yaml lacks the intervals"
    interval, timeout, scrape = map(float, said.groups())
    serving = [container["command"] for name, _, container in containers() if name == "daemonset"]
    serving.append(load("compose.yaml")["services"]["cudacheck"]["entrypoint"])
    for command in serving:
        assert seconds(flag(command, "--interval")) <= interval, command
        assert seconds(flag(command, "--timeout")) <= timeout, command
    scrapes = [endpoint["interval"] for endpoint in load("kubernetes/podmonitor.yaml")["spec"]["podMetricsEndpoints"]]
    scrapes += [config["scrape_interval"] for config in load("prometheus/prometheus.yaml")["scrape_configs"]]
    assert all(seconds(time) <= scrape for time in scrapes), scrapes
    for rule in alerts():
        if re.search(r"cudacheck_(verdict\{verdict=\"failed|gpu_healthy|gpu_info|findings)", rule["expr"]):
            assert seconds(rule["for"]) >= 2 * (interval + timeout), f"{rule['alert']}: a single check could fire it"


def known_findings():
    """every finding that is named exists"""
    ids = set(re.findall(r"^\| \[([a-z]+\.[a-z-]+)\]", (ROOT / "docs/checks.md").read_text(), re.M))
    families = "|".join(sorted({name.split(".")[0] for name in ids}))
    count = 0
    for path in all_files():
        for name in re.findall(rf"(?<![\w./-])(?:{families})\.[a-z][a-z-]*[a-z](?![\w./=])", path.read_text()):
            assert name in ids, f"{path.name}: {name} is not a finding"
            count += 1
    assert count >= 8, f"only {count} names of findings"


CHECKS = [
    known_names, known_in_tests, counters, everything_shown, promql, dashboard, complete_alerts, tested_alerts, pace,
    known_findings,
]  # fmt: skip
