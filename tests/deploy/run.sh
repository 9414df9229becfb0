#!/usr/bin/env bash
# Checks deploy/: with the programs that read such files, with schemas, and against cudacheck itself.
#
#   tests/deploy/run.sh [BINARY]
#
# With BINARY every cudacheck command line in deploy/ must be one that it accepts. Nothing is applied to a cluster.
# A tool that is missing is a failure. Prints a line for each check and ends with 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

said=$(mktemp)
trap 'rm -f "$said"' EXIT
passed=0 failed=0

ok() { passed=$((passed + 1)) && echo "ok $1"; }
bad() { failed=$((failed + 1)) && echo "FAIL $1: $2"; }

# passes NAME COMMAND...: it ends with 0.
passes() {
    local name=$1
    shift
    if "$@" >"$said" 2>&1; then ok "$name"; else bad "$name" "$(tail -n 40 "$said")"; fi
}

# tool INSTALL COMMAND...: it runs.
tool() {
    local install=$1
    shift
    "$@" >/dev/null 2>&1 && return
    bad "tool $1" "it is missing or does not run: $install"
    return 1
}

if tool "apt-get install prometheus" promtool --version; then
    passes "promtool check rules" promtool check rules deploy/prometheus/rules.yaml
    passes "promtool check config" promtool check config deploy/prometheus/prometheus.yaml
    passes "promtool test rules" promtool test rules deploy/prometheus/rules_test.yaml
fi

# Docker's own plug-in where it is, else the older program of the same name.
compose=(docker compose)
docker compose version >/dev/null 2>&1 || compose=(docker-compose)
if tool "apt-get install docker-compose" "${compose[@]}" version; then
    passes "compose config" "${compose[@]}" -f deploy/compose.yaml config --quiet
    passes "compose config with metrics" "${compose[@]}" --profile metrics -f deploy/compose.yaml config --quiet
fi

if tool "apt-get install shellcheck" shellcheck --version; then
    passes "shellcheck" shellcheck deploy/slurm/*.sh deploy/node-problem-detector/*.sh tests/deploy/run.sh
fi

if tool "pip install kubernetes-validate==1.37.0" python3 -c 'import kubernetes_validate, jsonschema, yaml'; then
    python3 tests/deploy/check.py "$@" >"$said" 2>&1
    status=$?
    cat "$said"
    passed=$((passed + $(grep -c '^ok ' "$said")))
    failed=$((failed + $(grep -c '^FAIL ' "$said")))
    # It ends with 1 where a check failed, and those are counted.
    if [ "$status" -gt 1 ] || ! grep -q '^ok ' "$said"; then bad "check.py" "it ended with $status"; fi
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
