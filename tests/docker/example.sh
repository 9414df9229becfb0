#!/usr/bin/env bash
# Builds Dockerfile.example as far as that is possible without a registry, and prints what was left out.
#
#   tests/docker/example.sh        needs docker, root, rust, pip, and tests/real/parts.sh debian
#
# The commands of the stage `cudacheck` run on this machine: the probe against glibc 2.17, then the binary
# with that probe in it. The engine builds the other stages, on a Debian root instead of the Python base.
# Engines without BuildKit do not support mounts: they are removed from the Dockerfile, and the mounted
# wheels are copied. The last line is 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

parts=${CUDACHECK_PARTS:-$HOME/.cache/cudacheck}
tools=$parts/zig
prefix=cudacheck-example-$$
work=$(mktemp -d)
passed=0 failed=0

cleanup() {
    docker rm -f "$prefix" >/dev/null 2>&1
    docker images -q "$prefix" | sort -u | xargs -r docker rmi -f >/dev/null 2>&1
    rm -rf "$work"
}
trap cleanup EXIT

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1)) && echo "ok $name"
    else
        failed=$((failed + 1)) && echo "FAIL $name: $(tail -n 5 "$work/log" | tr '\n' ' ')"
    fi
}

# --- the stage cudacheck -----------------------------------------------------------------------------

versions=$(grep -o 'ziglang==[0-9.]* cargo-zigbuild==[0-9.]*' Dockerfile.example)
tool_chain() { # built under a temporary name, so that an interrupted download is never used
    [ -d "$tools" ] || { python3 -m venv "$tools.tmp" && "$tools.tmp/bin/pip" install -q $versions && mv "$tools.tmp" "$tools"; }
}
probe() {
    PATH="$tools/bin:$PATH" "$tools/bin/cargo-zigbuild" zigbuild \
        --locked --release -p cudacheck-probe --bin probe --features program \
        --config "profile.release.lto='fat'" --config profile.release.codegen-units=1 \
        --config "profile.release.panic='abort'" --config profile.release.strip=true --config "profile.release.opt-level='s'" \
        --target x86_64-unknown-linux-gnu.2.17 --target-dir target/probe-2.17
}
probe=$PWD/target/probe-2.17/x86_64-unknown-linux-gnu/release/probe
embed() { CUDACHECK_PROBE=$probe cargo build --locked --release --target-dir target/example; }
binary=target/example/release/cudacheck
floor() { "$binary" --version | grep 'needs GLIBC_2.17 or newer'; }
needs_no_more() { ! readelf -d "$probe" | grep -q libgcc_s; }
small() { [ "$(stat -c %s "$binary")" -le 6000000 ]; }

check "zig and cargo-zigbuild" tool_chain
check "the probe against glibc 2.17" probe
check "the binary with that probe" embed
check "its --version names GLIBC_2.17" floor
check "the probe needs no libgcc_s" needs_no_more
check "at most 6 MB ($(stat -c %s "$binary" 2>/dev/null) bytes)" small

# --- the other stages --------------------------------------------------------------------------------

# Replaces python:3.11-slim: a Debian root with pip from its wheel, and one small wheel to install.
base() {
    mkdir -p "$work/base" "$work/pip" && cp -a "$parts/debian/." "$work/base/" &&
        pip download -q --no-deps -d "$work/pip" pip six &&
        mkdir -p "$work/base/wheelhouse" && cp "$work"/pip/six*.whl "$work/base/wheelhouse/" &&
        mkdir -p "$work/base/opt/pip" && python3 -m zipfile -e "$work"/pip/pip*.whl "$work/base/opt/pip" &&
        printf '#!/bin/sh\nPYTHONPATH=/opt/pip exec python3 -m pip "$@"\n' >"$work/base/usr/local/bin/pip" &&
        chmod +x "$work/base/usr/local/bin/pip" &&
        tar -C "$work/base" --exclude='./proc/*' --exclude='./var/lib/apt/lists/*' --exclude='./var/cache/apt/*' --exclude='./dev/*' --exclude='./sys/*' -c . |
        docker import -c 'ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheelhouse PIP_BREAK_SYSTEM_PACKAGES=1' - "$prefix:python"
}
built() {
    mkdir -p "$work/context" && cp "$binary" "$work/context/cudacheck" &&
        python3 - <<'PY' >"$work/context/Dockerfile" &&
import re
text = open("Dockerfile.example").read()
# The stage that was run above is replaced by its result.
stage = text.index("FROM ${RUST} AS cudacheck"), text.index("# --- the application's wheels")
text = text[: stage[0]] + "FROM scratch AS cudacheck\nCOPY cudacheck /cudacheck\n\n" + text[stage[1] :]
text = text.replace("RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels", "COPY --from=wheels /wheels /wheels\nRUN")
text = re.sub(r"--mount=\S+ *(\\\n *)?", "", text)
# Builds have no network here.
text = re.sub(r"RUN *(\\\n *)?apt-get update[^\n]*\n", "", text)
print(text)
PY
        DOCKER_BUILDKIT=0 docker build --network none -t "$prefix:app" --build-arg "PYTHON=$prefix:python" \
            --build-arg REQUIREMENTS=six -f "$work/context/Dockerfile" "$work/context"
}
not_root() { [ "$(docker run --rm --network none "$prefix:app" id -u)" = 1000 ]; }
verdict() { docker run --rm --network none "$prefix:app" cudacheck | grep 'launch.driver-not-loaded'; [ "${PIPESTATUS[1]}" -eq 0 ]; }
health() { # without a GPU: unhealthy, with cudacheck's line in the engine's log
    docker run -d --name "$prefix" --network none --health-interval 1s --health-start-period 0s --health-retries 1 "$prefix:app" sleep 100 &&
        for _ in $(seq 100); do
            [ "$(docker inspect -f '{{.State.Health.Status}}' "$prefix")" = unhealthy ] && break
            sleep 0.1
        done
    docker inspect -f '{{range .State.Health.Log}}{{.Output}}{{end}}' "$prefix" | grep '^unhealthy: .*driver'
}

check "a replacement for the Python base" base
check "the stages wheels and runtime, with the audit" built
check "the container does not run as root" not_root
check "docker run IMAGE cudacheck" verdict
check "HEALTHCHECK" health

echo "not built: the Rust base image (no registry); the commands of its stage ran on this machine"
echo "not built: cache and bind mounts (no BuildKit); the same instructions ran without them"
echo "not built: apt packages and PyTorch's wheels (no network in a build); the wheel of six was installed instead"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
