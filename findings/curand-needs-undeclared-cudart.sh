#!/usr/bin/env bash
# cuRAND's wheel needs a library that it does not require.
#
# Versions: nvidia-curand 10.4.4.72 (CUDA 13.4) and 10.4.5.25 (CUDA 13.5); x86-64 wheels from PyPI.
# Expected: `pip install nvidia-curand` is enough to load libcurand.so.10.
# Seen: since 10.4.5, libcurand.so.10 is linked to libcudart.so.13, and its metadata still has no Requires-Dist
#       (nvidia-cuda-runtime). A program that installs cuRAND alone worked with 10.4.4 and does not load it now.
#
# Prints what it sees, and fails if it is something else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seen=
for version in 10.4.4.72 10.4.5.25; do
    pip download -q --no-deps --only-binary=:all: --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 \
        -d "$work" "nvidia-curand==$version"
    python3 -m zipfile -e "$work"/*.whl "$work/$version"
    rm "$work"/*.whl
    library=$(find "$work/$version" -name libcurand.so.10)
    requires=$(find "$work/$version" -name METADATA -exec grep -c ^Requires-Dist {} + || true)
    loaded=$(env -u LD_LIBRARY_PATH python3 -c 'import ctypes, sys
try:
    ctypes.CDLL(sys.argv[1])
    print("loads")
except OSError as error:
    print(error)' "$library")
    echo "nvidia-curand $version: $requires requirements; $loaded"
    seen+="$requires $loaded;"
done

[ "$seen" = "0 loads;0 libcudart.so.13: cannot open shared object file: No such file or directory;" ]
