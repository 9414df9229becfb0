#!/usr/bin/env bash
# The CUDA runtime needs a C++ library.
#
# Versions: nvidia-cuda-runtime 13.0.96, 13.1.80 and 13.5.37; x86-64 wheels from PyPI.
# Expected: libcudart.so.13 needs glibc only, as in 13.0, so that it can be copied into an image without a C++ library.
# Seen: since 13.1, libcudart.so.13 is linked to libstdc++.so.6, libm.so.6 and libgcc_s.so.1. The soname is the same.
#
# Prints what it sees, and fails if it is something else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seen=
for version in 13.0.96 13.1.80 13.5.37; do
    pip download -q --no-deps --only-binary=:all: --platform manylinux2014_x86_64 -d "$work" \
        "nvidia-cuda-runtime==$version"
    python3 -m zipfile -e "$work"/*.whl "$work/$version"
    rm "$work"/*.whl
    library=$(find "$work/$version" -name libcudart.so.13)
    needs=$(readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
        grep -vE '^(libc|libdl|libpthread|librt|ld-linux-x86-64)\.so' | sort | tr '\n' ' ' || true)
    echo "nvidia-cuda-runtime $version needs, besides libc and its parts: ${needs:-nothing}"
    seen+="$needs;"
done

[ "$seen" = ";libgcc_s.so.1 libm.so.6 libstdc++.so.6 ;libgcc_s.so.1 libm.so.6 libstdc++.so.6 ;" ]
