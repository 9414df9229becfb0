#!/usr/bin/env bash
# Fetches the real parts that some tests need: drivers, toolkits, torch trees, root file systems.
#
# Everything comes from Debian's archive and PyPI, by the machine's own configuration of apt, pip and uv,
# and is kept in a cache outside the checkout. Nothing is installed on the machine. Without arguments,
# lists the parts.
#
#   tests/real/parts.sh PART...      cache: $CUDACHECK_PARTS, default ~/.cache/cudacheck
#
# stacks/NAME is a Python stack by the pinned list stacks/NAME.txt, to be mounted on top of debian or trixie.
set -euo pipefail

stacks=$(cd "$(dirname "$0")/stacks" && pwd)
cache=${CUDACHECK_PARTS:-$HOME/.cache/cudacheck}
site=usr/local/lib/python3.11/dist-packages
say() { echo "parts: $*" >&2; }

# The mirror for Debian 12 in this machine's apt configuration; empty: debootstrap's default.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 2>/dev/null |
        grep '/debian/$' | head -n 1 || true
}

# once NAME COMMAND...: builds a part under a temporary name and then moves it into place, so that an
# interrupted download never looks complete.
once() {
    local name=$1 part=$cache/$1
    shift
    [ -e "$part" ] && return
    say "fetching $name"
    rm -rf "$part.tmp" && mkdir -p "$part.tmp"
    "$@" "$part.tmp"
    mv "$part.tmp" "$part"
}

wheels() { # DEST SPEC...: unpacks wheels without their dependencies
    local dest=${!#} dir
    dir=$(mktemp -d)
    pip download -q --no-deps --only-binary=:all: -d "$dir" "${@:1:$#-1}"
    for wheel in "$dir"/*.whl; do python3 -m zipfile -e "$wheel" "$dest"; done
    rm -rf "$dir"
    find "$dest" -path '*/bin/*' -type f -exec chmod +x {} +
}

debian_root() {
    # shellcheck disable=SC2046 # the mirror may be empty
    debootstrap --variant=minbase --components=main,contrib,non-free --include=python3,ca-certificates \
        bookworm "$1" $(mirror) >"$cache/debootstrap.log" 2>&1
    rm -rf "$1"/var/cache/apt/archives/*.deb
}

arm64_root() { # DEST: a root for another processor, which nothing here can run; without ld.so.cache
    # shellcheck disable=SC2046 # the mirror may be empty
    debootstrap --arch=arm64 --foreign --variant=minbase bookworm "$1" $(mirror) >"$cache/debootstrap.log" 2>&1
    rm -rf "$1"/var/cache/apt/archives/*.deb "$1/debootstrap"
}

arm64_cached() { # DEST: the same with the ld.so.cache that its own ldconfig writes
    cp -a "$cache/arm64/." "$1"
    cp "$cache/qemu/usr/bin/qemu-aarch64-static" "$1/tmp/qemu"
    chroot "$1" /tmp/qemu /sbin/ldconfig
    rm "$1/tmp/qemu"
}

chroot_apt() { # ROOT ARGS...
    local root=$1
    shift
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$root" apt-get -qq -o APT::Sandbox::User=root \
        -o APT::Install-Recommends=false "$@" >>"$cache/apt.log" 2>&1
}

debs() { # PACKAGE... DEST: unpacks packages without running maintainer scripts
    local dest=${!#} root
    part_debian
    root=$cache/apt-client
    [ -d "$root" ] || cp -a "$cache/debian" "$root"
    [ -e "$root/updated" ] || { chroot_apt "$root" update && touch "$root/updated"; }
    rm -rf "$root/debs" && mkdir "$root/debs"
    (cp /etc/resolv.conf "$root/etc/" && chroot "$root" sh -c "cd /debs && apt-get -qq -o APT::Sandbox::User=root download ${*:1:$#-1}") >>"$cache/apt.log" 2>&1
    for deb in "$root"/debs/*.deb; do dpkg-deb -x "$deb" "$dest"; done
}

# python_packages DEST PYTHON OPTION...: installs wheels, which share files with uv's cache by hard links.
python_packages() {
    UV_CACHE_DIR=$cache/uv uv pip install -q --no-build --python-version "$2" --python-platform x86_64-manylinux_2_36 \
        --target "$1/usr/local/lib/python$2/dist-packages" "${@:3}"
}

torch_root() { # SPEC DEST
    cp -a "$cache/debian/." "$2"
    python_packages "$2" 3.11 "$1"
}

toolkit_root() { # DEST: Debian's CUDA 11.8 toolkit and torch for CUDA 12
    cp -a "$cache/debian/." "$1"
    chroot_apt "$1" update
    chroot_apt "$1" install -y nvidia-cuda-toolkit nvidia-cuda-dev
    rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
    mkdir -p "$1/$site"
    cp -al "$cache/torch12/$site/." "$1/$site/"
}

jax_root() { # DEST: three frameworks that share the wheels of CUDA 12 (newer releases of onnxruntime are for CUDA 13)
    cp -a "$cache/debian/." "$1"
    python_packages "$1" 3.11 \
        'jax[cuda12]==0.10.2' 'onnxruntime-gpu[cuda,cudnn]==1.26.0' cupy-cuda12x==14.2.0 numpy==2.4.6 scipy==1.17.1 \
        nvidia-cublas-cu12==12.9.3.13 nvidia-cuda-cupti-cu12==12.9.79 nvidia-cuda-nvcc-cu12==12.9.86 \
        nvidia-cuda-nvrtc-cu12==12.9.86 nvidia-cuda-runtime-cu12==12.9.79 nvidia-cudnn-cu12==9.28.0.42 \
        nvidia-cufft-cu12==11.4.1.4 nvidia-cusolver-cu12==11.7.5.82 nvidia-cusparse-cu12==12.5.10.65 \
        nvidia-nccl-cu12==2.32.3 nvidia-nvjitlink-cu12==12.9.86 nvidia-nvshmem-cu12==3.8.0
}

distroless_root() { # DEST: no shell, no ld.so.cache, one dpkg file for each package; CUDA 11 twice
    mkdir -p "$1/var/lib/dpkg/status.d" "$1/tmp" "$1/proc"
    debs base-files netbase tzdata ca-certificates libc6 libgcc-s1 libstdc++6 libgomp1 zlib1g libexpat1 libssl3 \
        libffi8 libbz2-1.0 liblzma5 libuuid1 python3-minimal python3.11-minimal libpython3.11-minimal \
        libpython3.11-stdlib libcudart11.0 libcurand10 libnvrtc11.2 libnvrtc-builtins11.8 "$1"
    local deb file
    for deb in "$cache/apt-client/debs"/*.deb; do
        file=$1/var/lib/dpkg/status.d/$(dpkg-deb -f "$deb" Package)
        dpkg-deb -f "$deb" >"$file"
        dpkg-deb --ctrl-tarfile "$deb" | tar -xO ./md5sums >"$file.md5sums"
    done
    wheels nvidia-cuda-runtime-cu11==11.8.89 nvidia-cuda-nvrtc-cu11==11.8.89 nvidia-curand-cu11==10.3.0.86 "$1/$site"
}

# musl_object FILE CODE OPTION...: an object that musl's loader accepts.
musl_object() {
    mkdir -p "$(dirname "$1")"
    gcc -x c - -x none -o "$1" -nostdlib -fPIC -Wl,--no-as-needed,--allow-shlib-undefined "${@:3}" <<<"$2"
}

alpine_root() { # DEST: musl, busybox and apk's database as on Alpine, and an object for each rule of musl's loader
    part_musl
    local root=$1 app=$1/opt/app packages=/usr/lib/python3.12/site-packages stubs name tags
    mkdir -p "$root"/{bin,dev,etc,lib/apk/db,opt,proc,tmp,usr/bin,usr/lib,usr/local/lib,var}
    cp -L "$cache/musl/lib/ld-musl-x86_64.so.1" "$root/lib/"
    ln -s ld-musl-x86_64.so.1 "$root/lib/libc.musl-x86_64.so.1"
    debs busybox-static "$root"
    rm -rf "${root:?}/usr/share"
    ln -sf busybox "$root/bin/sh"
    wheels nvidia-cuda-runtime-cu12==12.4.127 "$root$packages"

    stubs=$(mktemp -d)
    for name in libc.musl-x86_64.so.1 libfirst.so.1 libsecond.so.2 libabsent.so.1 libcudart.so.12 libc.so.6 libm.so.6; do
        musl_object "$stubs/$name" "" -shared "-Wl,-soname,$name"
    done
    # In the order of the configured path: the first directory that has the name.
    musl_object "$root/usr/lib/libsecond.so.2" "" -shared -Wl,-soname,libsecond.so.2 "$stubs/libc.musl-x86_64.so.1"
    musl_object "$root/usr/lib/libfirst.so.1" "" -shared -Wl,-soname,libfirst.so.1 "$stubs/libsecond.so.2"
    musl_object "$root/usr/local/lib/libsecond.so.2" "" -shared -Wl,-soname,libsecond.so.2
    musl_object "$root/usr/lib/extra/libfirst.so.1" "" -shared -Wl,-soname,libfirst.so.1 "$stubs/libsecond.so.2"
    # musl also searches the paths of the program that loads a library, DT_RUNPATH included.
    musl_object "$app/lib/libfirst.so.1" "" -shared -Wl,-soname,libfirst.so.1 "$stubs"/lib{second.so.2,cudart.so.12,absent.so.1}
    musl_object "$app/lib/libcudart.so.12" "" -shared -Wl,-soname,libcudart.so.12
    for name in rpath runpath; do
        [ $name = rpath ] && tags=disable || tags=enable
        musl_object "$app/bin/$name" "int main(void) { return 0; }" -pie -e main -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1 \
            "-Wl,--$tags-new-dtags,-rpath,\$ORIGIN/../lib:/usr/lib" "$stubs"/lib{first.so.1,c.musl-x86_64.so.1}
    done
    # Objects linked to glibc, which need a wheel.
    musl_object "$root/usr/lib/libglibc.so" "" -shared "$stubs"/lib{c.so.6,m.so.6,cudart.so.12} "-Wl,-rpath,$packages/nvidia/cuda_runtime/lib"
    musl_object "$root/usr/lib/libbypath.so" "" -shared "$stubs/libsecond.so.2" "-Wl,-rpath,\${ORIGIN}/../local/lib"
    # musl ignores a whole path with any variable other than $ORIGIN.
    musl_object "$root/usr/lib/librejected.so" "" -shared "$stubs/libcudart.so.12" "-Wl,-rpath,/opt/app/lib:/usr/\$LIB"
    # Two names of one file are one object; musl ignores sonames.
    ln -s libsecond.so.2 "$root/usr/local/lib/libsecond.so"
    musl_object "$stubs/libsecond.so" "" -shared -Wl,-soname,libsecond.so
    musl_object "$root/usr/lib/libtwice.so" "" -shared "$stubs"/libsecond.so{,.2}
    rm -rf "$stubs"
    printf '/usr/lib/extra\n/lib:/usr/local/lib\n/usr/lib\n' >"$root/etc/ld-musl-x86_64.path"

    echo 3.21.3 >"$root/etc/alpine-release"
    printf 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.21.3\n' >"$root/etc/os-release"
    cat >"$root/lib/apk/db/installed" <<'APK'
C:Q1Yx4mPD6nLyBd3mjmbpMnqWJ3pZk=
P:musl
V:1.2.5-r9
A:x86_64
S:410000
I:667648
T:the musl c library (libc) implementation
o:musl
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
R:libc.musl-x86_64.so.1
a:0:0:777

P:busybox
V:1.37.0-r12
A:x86_64
F:bin
R:busybox
a:0:0:755
R:sh
a:0:0:777
M:0:0:1777
F:tmp

P:second
V:2.0.1-r0
A:x86_64
F:usr
F:usr/lib
R:libfirst.so.1
R:libsecond.so.2
F:usr/local/lib
R:libsecond.so
R:libsecond.so.2

P:app
V:0.1-r3
A:x86_64
F:opt
F:opt/app
F:opt/app/bin
R:rpath
R:runpath
F:opt/app/lib
R:libcudart.so.12
R:libfirst.so.1

APK
}

# stack NAME: wheels alone, without a root file system. Stacks share files by hard links to uv's cache.
stack() {
    local python=3.11
    case $1 in *-trixie) python=3.13 ;; esac
    once "stacks/$1" stack_root "$1" $python
}

stack_root() { # NAME PYTHON DEST
    python_packages "$3" "$2" --no-deps -r "$stacks/$1.txt"
}

trixie_root() { # DEST: Debian 13 with its CUDA 12 runtime and cuBLAS
    # shellcheck disable=SC2046 # the mirror may be empty
    debootstrap --variant=minbase --components=main,contrib,non-free --include=python3 trixie "$1" $(mirror) \
        >"$cache/debootstrap.log" 2>&1
    chroot_apt "$1" update
    chroot_apt "$1" install -y libcudart12 libcublas12 libgomp1
    rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
}

system11_root() { # DEST: Debian's libraries of CUDA 11.8 and cuDNN 8, where every program finds them
    debs libcudart11.0 libcublas11 libcublaslt11 libcufft10 libcurand10 libcusolver11 libcusolvermg11 libcusparse11 \
        libnvrtc11.2 libnvrtc-builtins11.8 libgomp1 "$1"
    wheels nvidia-cudnn-cu11==8.6.0.163 "$1/wheel"
    mv "$1"/wheel/nvidia/cudnn/lib/lib*.so.8 "$1/usr/lib/x86_64-linux-gnu/"
    rm -rf "$1/wheel"
    # The development links, which Paddle opens.
    local library
    for library in "$1"/usr/lib/x86_64-linux-gnu/lib{cu,nvrtc}*.so.*; do
        ln -sf "$(basename "$library")" "${library%%.so.*}.so"
    done
}

part_trixie() { once trixie trixie_root; }
part_system11() { once system11 system11_root; }
part_debian() { once debian debian_root; }
part_qemu() { once qemu debs qemu-user-static; }
part_arm64() { once arm64 arm64_root; }
part_arm64-cached() { part_qemu; part_arm64; once arm64-cached arm64_cached; }
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
part_jax() { part_debian; once jax jax_root; }
part_distroless() { once distroless distroless_root; }
part_alpine() { once alpine alpine_root; }

parts=(debian musl ptxas driver535 driver470 cublas torch12 torch13 toolkit11 jax distroless alpine arm64 qemu arm64-cached)
if [ $# -eq 0 ]; then
    echo "usage: parts.sh PART...   parts: ${parts[*]} all, trixie system11 and stacks/NAME for tests/real/stacks.py" >&2
    exit 2
fi
mkdir -p "$cache"
[ "$1" = all ] && set -- "${parts[@]}"
for part in "$@"; do
    case $part in
        stacks/*)
            [ -e "$stacks/${part#*/}.txt" ] || { say "unknown stack '$part'"; exit 2; }
            stack "${part#*/}"
            continue
            ;;
    esac
    declare -F "part_$part" >/dev/null || { say "unknown part '$part'; known: ${parts[*]} all"; exit 2; }
    "part_$part"
done
