#!/usr/bin/env bash
# TensorFlow 2.21 opens cuSOLVER from a library whose search path does not lead to NVIDIA's wheel of it.
#
# Versions: tensorflow 2.21.0, and 2.19.0 to compare with; x86-64 wheels for CPython 3.11 from PyPI.
# Expected: libtensorflow_framework.so.2 calls dlopen for CUDA's libraries, with names that it composes, so that its search
#           path has the directory of each of NVIDIA's wheels (`tensorflow[and-cuda]`). In 2.19.0 it has.
# Seen: in 2.21.0 the entries are divided. libtensorflow_framework.so.2 has those of nvidia/cublas, cufft, cudnn, cusparse
#       and others, but not nvidia/cusolver/lib, which only libtensorflow_cc.so.2 has, and dlopen does not look there for
#       another object. TensorFlow 2.21.0 imports, says "Cannot dlopen some GPU libraries", and registers no GPU, unless
#       libcusolver.so.11 is found elsewhere. That message was seen with a stand-in for the driver; this script looks at
#       the search paths alone.
#
# Prints what it sees, and fails if it is something else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# path VERSION LIBRARY: the directories of NVIDIA's wheels in the search path of a library.
path() {
    readelf -dW "$work/$1/tensorflow/$2" | sed -n 's/.*(R[UN]*PATH).*\[\(.*\)\]/\1/p' | tr ':' '\n' |
        sed -n 's|.*/nvidia/\(.*\)/lib$|\1|p' | sort -u | tr '\n' ' '
}

for version in 2.19.0 2.21.0; do
    pip download -q --no-deps --only-binary=:all: --python-version 3.11 --platform manylinux_2_27_x86_64 \
        --platform manylinux_2_17_x86_64 -d "$work" "tensorflow==$version"
    python3 - "$work"/tensorflow-"$version"*.whl "$work/$version" <<'PYTHON'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"):
        wheel.extract(f"tensorflow/{name}", sys.argv[2])
PYTHON
    rm "$work"/tensorflow-"$version"*.whl
    for library in libtensorflow_framework.so.2 libtensorflow_cc.so.2; do
        echo "$version $library: $(path "$version" "$library")"
    done
done

has() { [[ " $(path "$1" "$2")" == *" $3 "* ]]; }
has 2.19.0 libtensorflow_framework.so.2 cusolver
has 2.21.0 libtensorflow_framework.so.2 cublas
if has 2.21.0 libtensorflow_framework.so.2 cusolver; then exit 1; fi
has 2.21.0 libtensorflow_cc.so.2 cusolver
