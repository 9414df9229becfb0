#!/usr/bin/env bash
# Runs the binary in Docker containers: on several kinds of root, and with rights taken away.
#
#   tests/docker/run.sh [BINARY]       needs docker, root, and tests/real/parts.sh debian musl
#
# The images are made from the parts; no registry is used. Their GPU libraries are the fakes, which show
# that the probe starts and reports in such a container, but prove nothing about hardware. Prints a line
# for each case; the last line is 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

binary=$(realpath "${1:-target/release/cudacheck}")
parts=${CUDACHECK_PARTS:-$HOME/.cache/cudacheck}
prefix=cudacheck-test-$$
work=$(mktemp -d)
passed=0 failed=0

cleanup() {
    docker ps -aq --filter "name=$prefix" | xargs -r docker rm -f >/dev/null 2>&1
    docker images -q "$prefix" | sort -u | xargs -r docker rmi -f >/dev/null 2>&1
    rm -rf "$work"
}
trap cleanup EXIT

ok() { passed=$((passed + 1)) && echo "ok $1"; }
bad() { failed=$((failed + 1)) && echo "FAIL $1: $2"; }

# expect NAME STATUS VERDICT FIRST COMMAND...: the command prints a JSON report. FIRST is the id of the
# first error or unknown, or - if there must be none.
expect() {
    local name=$1 status=$2 verdict=$3 first=$4 seen
    shift 4
    "$@" >"$work/report.json" 2>"$work/error.txt"
    seen=$?
    python3 - "$work/report.json" "$seen" "$status" "$verdict" "$first" <<'PY' >"$work/why.txt" 2>&1 && ok "$name" || bad "$name" "$(cat "$work/why.txt" "$work/error.txt" | tail -n 3 | tr '\n' ' ')"
import json, sys
path, seen, status, verdict, first = sys.argv[1:]
report = json.load(open(path))
grave = [f for f in report["findings"] if f["severity"] in ("error", "unknown")]
leading = grave[0]["id"] if grave else "-"
found = (seen, report["verdict"], leading)
assert found == (status, verdict, first), f"{found} instead of {(status, verdict, first)}"
PY
}

# says NAME WORDS COMMAND...: its output contains the words, whatever its status.
says() {
    local name=$1 words=$2
    shift 2
    "$@" >"$work/said.txt" 2>&1
    grep -q -e "$words" "$work/said.txt" && ok "$name" || bad "$name" "no '$words' in $(head -c 300 "$work/said.txt" | tr '\n' ' ')"
}

run() { docker run --rm --name "$prefix-$RANDOM" --network none "$@"; }

# --- roots -----------------------------------------------------------------------------------------

fakes() { # DIRECTORY: the fake libraries, as tests/fakes/README.md builds them
    local build="rustc --edition 2024 --crate-type cdylib -C opt-level=3 -C panic=abort -C strip=debuginfo"
    mkdir -p "$1"
    for pair in cuda:libcuda.so.1 nvml:libnvidia-ml.so.1 cublaslt:libcublasLt.so.12 cudart:libcudart.so.12 cupti:libcupti.so.12; do
        $build -C "link-arg=-Wl,-soname,${pair#*:}" -o "$1/${pair#*:}" "tests/fakes/${pair%%:*}.rs" || return 1
    done
    $build -C "link-args=-Wl,-soname,libcublas.so.12 -Wl,-rpath,\$ORIGIN -Wl,--no-as-needed $1/libcublasLt.so.12" \
        -o "$1/libcublas.so.12" tests/fakes/cublas.rs
}

image() { # TAG DIRECTORY
    tar -C "$2" --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* -c . | docker import - "$prefix:$1" >/dev/null
}

[ -d "$parts/debian" ] && [ -d "$parts/musl" ] || { echo "missing parts: run tests/real/parts.sh debian musl" >&2; exit 1; }
mkdir -p "$work/scratch" && cp "$binary" "$work/scratch/cudacheck" && image scratch "$work/scratch"
mkdir -p "$work/musl" && cp -a "$parts/musl/." "$work/musl/" && cp "$binary" "$work/musl/cudacheck" && image musl "$work/musl"
cp -a "$parts/debian" "$work/debian" && cp "$binary" "$work/debian/usr/local/bin/cudacheck" && image debian "$work/debian"
fakes "$work/fakes" || { echo "cannot build the fakes" >&2; exit 1; }
cp "$work"/fakes/*.so.* "$work/debian/usr/lib/x86_64-linux-gnu/" && echo "sms = 2" >"$work/debian/etc/fake-gpu" && image machine "$work/debian"
mkdir -p "$work/nodes" && mknod -m 0666 "$work/nodes/nvidiactl" c 195 255

# Refuses memfd_create, as hardened profiles do.
cat >"$work/seccomp.json" <<'JSON'
{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["memfd_create"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
JSON
json=(--format json)
check=(cudacheck "${json[@]}")

# --- without a GPU -----------------------------------------------------------------------------------

expect "Debian" 1 failed launch.driver-not-loaded run "$prefix:debian" "${check[@]}"
expect "only the binary" 1 failed launch.driver-not-loaded run --entrypoint /cudacheck "$prefix:scratch" "${json[@]}"
says "reports that glibc is missing" image.no-glibc run --entrypoint /cudacheck "$prefix:scratch"
expect "musl" 1 failed launch.driver-not-loaded run --entrypoint /cudacheck "$prefix:musl" "${json[@]}"
says "recognizes musl" "musl" run --entrypoint /cudacheck "$prefix:musl"

# --- a fake machine, fewer rights -------------------------------------------------------------------

expect "default options" 0 verified - run "$prefix:machine" "${check[@]}"
expect "read-only root" 0 verified - run --read-only "$prefix:machine" "${check[@]}"
expect "no capabilities" 0 verified - run --cap-drop ALL "$prefix:machine" "${check[@]}"
expect "uid 65534" 0 verified - run --user 65534:65534 "$prefix:machine" "${check[@]}"
expect "no new privileges, no capabilities, uid 65534, read-only" 0 verified - \
    run --user 65534:65534 --cap-drop ALL --security-opt no-new-privileges --read-only "$prefix:machine" "${check[@]}"
expect "64 MB of memory at level driver" 0 verified - run --memory 64m "$prefix:machine" "${check[@]}" --level driver
expect "no memfd_create, a writable root" 0 verified - run --security-opt "seccomp=$work/seccomp.json" "$prefix:machine" "${check[@]}"
expect "no memfd_create, an executable tmpfs" 0 verified - \
    run --security-opt "seccomp=$work/seccomp.json" --read-only --tmpfs /tmp:exec "$prefix:machine" "${check[@]}"
expect "no memfd_create and nothing writable" 1 failed launch.driver-not-loaded \
    run --security-opt "seccomp=$work/seccomp.json" --read-only "$prefix:machine" "${check[@]}"
says "reports that the probe did not start" probe.not-started run --security-opt "seccomp=$work/seccomp.json" --read-only "$prefix:machine" "${check[@]}"
expect "an init process" 0 verified - run --init "$prefix:machine" "${check[@]}"
# A bind mount of a device node does not add it to the container's device cgroup.
expect "a device node that the device cgroup denies" 0 verified - run -v "$work/nodes/nvidiactl:/dev/nvidiactl" "$prefix:machine" "${check[@]}"
says "reports EPERM" 'EPERM (1)' run -v "$work/nodes/nvidiactl:/dev/nvidiactl" "$prefix:debian" "${check[@]}"

# --- docker stop and HEALTHCHECK ----------------------------------------------------------------------------

echo "cuInit = hang" >"$work/hang"
docker run -d --name "$prefix-stop" --network none -v "$work/hang:/etc/fake-gpu:ro" "$prefix:machine" cudacheck --level driver --timeout 60s >/dev/null
sleep 1
start=$(date +%s%N)
docker stop "$prefix-stop" >/dev/null
took=$((($(date +%s%N) - start) / 1000000))
[ $took -lt 3000 ] && ok "docker stop ends a hanging check ($took ms)" || bad "docker stop" "$took ms"

echo "gpus = 1" >"$work/state"
cat >"$work/Dockerfile" <<DOCKERFILE
FROM $prefix:machine
HEALTHCHECK --interval=1s --timeout=5s --retries=2 CMD ["/usr/local/bin/cudacheck", "health", "--level", "driver", "--timeout", "3s"]
CMD ["sleep", "1000"]
DOCKERFILE
DOCKER_BUILDKIT=0 docker build -q -t "$prefix:health" -f "$work/Dockerfile" "$work/scratch" >/dev/null 2>&1
docker run -d --name "$prefix-health" --network none -v "$work/state:/etc/fake-gpu" "$prefix:health" >/dev/null
state() { docker inspect -f '{{.State.Health.Status}}' "$prefix-health"; }
becomes() { # STATE: within 15 seconds
    for _ in $(seq 150); do
        [ "$(state)" = "$1" ] && { ok "the health status becomes $1"; return; }
        sleep 0.1
    done
    bad "the health status becomes $1" "it is $(state)"
}
becomes healthy
docker exec "$prefix-health" cudacheck health >/dev/null && ok "docker exec" || bad "docker exec" "status $?"
echo "cuInit = 999" >"$work/state"
becomes unhealthy
docker inspect -f '{{range .State.Health.Log}}{{.Output}}{{end}}' "$prefix-health" | grep -q '^unhealthy: ' && ok "the engine's log contains our line" || bad "the engine's log contains our line" "it does not"
echo "cuInit = hang" >"$work/state"
sleep 8
echo "gpus = 1" >"$work/state"
becomes healthy
left=$(docker top "$prefix-health" -eo pid,comm | grep -c -e cudacheck -e 'cc[0-9]')
sleep 1
[ "$left" -le 1 ] && ok "no process is left" || bad "no process is left" "$(docker top "$prefix-health" -eo pid,stat,comm | tr '\n' ' ')"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
