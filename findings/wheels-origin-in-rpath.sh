#!/usr/bin/env bash
# With one LD_LIBRARY_PATH, another copy wins after a minor update of NVIDIA's wheels.
#
# Versions: nvidia-cufft 12.3.0.29 (CUDA 13.3) and 12.4.0.34 (CUDA 13.4); x86-64 wheels from PyPI.
# Expected: a minor release does not change the order of the loader's search.
# Seen: up to 13.3, the wheels' libraries have $ORIGIN in DT_RUNPATH, which LD_LIBRARY_PATH precedes; since 13.4 they
#       have it in DT_RPATH, which precedes LD_LIBRARY_PATH. libcufftw.so.12 of 13.3 takes the libcufft.so.12 of
#       LD_LIBRARY_PATH, that of 13.4 the one beside it. A copy that was put in front on purpose has no effect any more.
#
# Prints what it sees, and fails if it is something else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seen=
for version in 12.3.0.29 12.4.0.34; do
    pip download -q --no-deps --only-binary=:all: --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 \
        -d "$work" "nvidia-cufft==$version"
    python3 -m zipfile -e "$work"/*.whl "$work/$version"
    rm "$work"/*.whl
    wheel=$(dirname "$(find "$work/$version" -name libcufftw.so.12)")
    mkdir "$work/other"
    cp "$wheel/libcufft.so.12" "$work/other"
    tag=$(readelf -dW "$wheel/libcufftw.so.12" | grep -oE 'RUNPATH|RPATH')
    # What the loader takes, without running anything.
    taken=$(LD_LIBRARY_PATH="$work/other" LD_TRACE_LOADED_OBJECTS=1 LD_WARN='' /lib64/ld-linux-x86-64.so.2 \
        "$wheel/libcufftw.so.12" | sed -n 's/.*libcufft\.so\.12 => \(.*\) (.*/\1/p')
    case $taken in "$work/other/"*) taken="of LD_LIBRARY_PATH" ;; "$wheel/"*) taken="beside it" ;; esac
    echo "nvidia-cufft $version: \$ORIGIN in $tag; libcufftw.so.12 takes the libcufft.so.12 $taken"
    seen+="$tag $taken;"
    rm -r "$work/other"
done

[ "$seen" = "RUNPATH of LD_LIBRARY_PATH;RPATH beside it;" ]
