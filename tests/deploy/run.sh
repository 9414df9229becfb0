#!/usr/bin/env bash
# Checks deploy/ with the programs that read these files, with schemas, and against cudacheck itself.
#
#   tests/deploy/run.sh [BINARY]
#
# With BINARY, also checks that it accepts every command line in deploy/. Nothing is applied to a cluster. A missing
# tool is a failure. Prints a line for each check; the last line is 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

said=$(mktemp)
trap 'rm -f "$said"' EXIT
passed=0 failed=0

ok() { passed=$((passed + 1)) && echo "ok $1"; }
bad() { failed=$((failed + 1)) && echo "FAIL $1: $2"; }

# passes NAME COMMAND...: the exit status must be 0.
passes() {
    local name=$1
    shift
    if "$@" >"$said" 2>&1; then ok "$name"; else bad "$name" "$(tail -n 40 "$said")"; fi
}

# tool INSTALL COMMAND...: the tool must run.
tool() {
    local install=$1
    shift
    "$@" >/dev/null 2>&1 && return
    bad "tool $1" "missing or broken: $install"
    return 1
}

if tool "apt-get install prometheus" promtool --version; then
    passes "promtool check rules" promtool check rules deploy/prometheus/rules.yaml
    passes "promtool check config" promtool check config deploy/prometheus/prometheus.yaml
    passes "promtool test rules" promtool test rules deploy/prometheus/rules_test.yaml
fi

# Docker's plugin, or the older standalone program.
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
    # With 1, a check failed, which is counted already.
    if [ "$status" -gt 1 ] || ! grep -q '^ok ' "$said"; then bad "check.py" "exit status $status"; fi
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
