#!/usr/bin/env bash
# Fetches the real parts that some suites need: drivers, toolkits, torch trees, roots.
#
# Everything comes from Debian's archive and PyPI through the machine's own configuration of
# apt and pip, lands in a cache outside the checkout, and is fetched once. Nothing is installed
# on the machine. Prints nothing but progress; `parts.sh` alone lists the parts.
#
#   tests/real/parts.sh PART...      cache: $CUDACHECK_PARTS, default ~/.cache/cudacheck
set -euo pipefail

cache=${CUDACHECK_PARTS:-$HOME/.cache/cudacheck}
site=usr/local/lib/python3.11/dist-packages
say() { echo "parts: $*" >&2; }

# Debian 12's mirror as this machine's apt knows it, or debootstrap's own default.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 2>/dev/null |
        grep '/debian/$' | head -n 1 || true
}

# once NAME COMMAND...: build a part under a temporary name, then move it into place, so that an
# interrupted download never looks finished.
once() {
    local name=$1 part=$cache/$1
    shift
    [ -e "$part" ] && return
    say "fetching $name"
    rm -rf "$part.tmp" && mkdir -p "$part.tmp"
    "$@" "$part.tmp"
    mv "$part.tmp" "$part"
}

wheels() { # DEST SPEC...: unpack wheels without their dependencies
    local dest=${!#} dir
    dir=$(mktemp -d)
    pip download -q --no-deps --only-binary=:all: -d "$dir" "${@:1:$#-1}"
    for wheel in "$dir"/*.whl; do python3 -m zipfile -e "$wheel" "$dest"; done
    rm -rf "$dir"
    find "$dest" -path '*/bin/*' -type f -exec chmod +x {} +
}

debian_root() {
    debootstrap --variant=minbase --components=main,contrib,non-free --include=python3,ca-certificates \
        bookworm "$1" $(mirror) >"$cache/debootstrap.log" 2>&1
    rm -rf "$1"/var/cache/apt/archives/*.deb
}

chroot_apt() { # ROOT ARGS...
    local root=$1
    shift
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$root" apt-get -qq -o APT::Sandbox::User=root \
        -o APT::Install-Recommends=false "$@" >>"$cache/apt.log" 2>&1
}

debs() { # PACKAGE... DEST: unpack packages, maintainer scripts not run
    local dest=${!#} root
    part_debian
    root=$cache/apt-client
    [ -d "$root" ] || cp -a "$cache/debian" "$root"
    [ -e "$root/updated" ] || { chroot_apt "$root" update && touch "$root/updated"; }
    rm -rf "$root/debs" && mkdir "$root/debs"
    (cp /etc/resolv.conf "$root/etc/" && chroot "$root" sh -c "cd /debs && apt-get -qq -o APT::Sandbox::User=root download ${*:1:$#-1}") >>"$cache/apt.log" 2>&1
    for deb in "$root"/debs/*.deb; do dpkg-deb -x "$deb" "$dest"; done
}

torch_root() { # SPEC DEST
    cp -a "$cache/debian/." "$2"
    pip install -q --no-compile --only-binary=:all: --python-version 3.11 --target "$2/$site" "$1"
}

toolkit_root() { # DEST: Debian's CUDA 11.8 toolkit beside torch for CUDA 12
    cp -a "$cache/debian/." "$1"
    chroot_apt "$1" update
    chroot_apt "$1" install -y nvidia-cuda-toolkit nvidia-cuda-dev
    rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
    mkdir -p "$1/$site"
    cp -al "$cache/torch12/$site/." "$1/$site/"
}

part_debian() { once debian debian_root; }
part_musl() { once musl debs musl; }
part_ptxas() {
    once ptxas/11.8 wheels nvidia-cuda-nvcc-cu11==11.8.89
    once ptxas/12.9 wheels nvidia-cuda-nvcc-cu12==12.9.86
    once ptxas/13.5 wheels nvidia-cuda-nvcc==13.5.37
}
part_driver535() { once driver/535 debs libcuda1 libnvidia-ml1 nvidia-smi libnvidia-ptxjitcompiler1; }
part_driver470() { once driver/470 debs libnvidia-tesla-470-cuda1 libnvidia-tesla-470-ml1 libnvidia-tesla-470-ptxjitcompiler1; }
part_cublas() {
    once cublas/11 wheels nvidia-cublas-cu11==11.11.3.6 nvidia-cuda-runtime-cu11==11.8.89 nvidia-cuda-cupti-cu11==11.8.87
    once cublas/12 wheels nvidia-cublas-cu12==12.4.5.8 nvidia-cuda-runtime-cu12==12.4.127 nvidia-cuda-cupti-cu12==12.4.127
    once cublas/13 wheels nvidia-cublas==13.4.1.3 nvidia-cuda-runtime==13.2.86 nvidia-cuda-cupti==13.2.86
}
part_torch12() { part_debian; once torch12 torch_root torch==2.5.1; }
part_torch13() { part_debian; once torch13 torch_root torch==2.15.0; }
part_toolkit11() { part_torch12; once toolkit11 toolkit_root; }

parts=(debian musl ptxas driver535 driver470 cublas torch12 torch13 toolkit11)
if [ $# -eq 0 ]; then
    echo "usage: parts.sh PART...   parts: ${parts[*]} all" >&2
    exit 2
fi
mkdir -p "$cache"
[ "$1" = all ] && set -- "${parts[@]}"
for part in "$@"; do
    declare -F "part_$part" >/dev/null || { say "unknown part '$part'; known: ${parts[*]} all"; exit 2; }
    "part_$part"
done
