#!/usr/bin/env bash
# A cubin's ELF header no longer shows that it is architecture-specific.
#
# Versions: nvidia-cuda-nvcc-cu12 12.9.86, nvidia-cuda-nvcc 13.0.88 and 13.5.37; x86-64 wheels from PyPI.
# Expected: the bit 0x8 of e_flags tells a cubin for sm_100a, which runs on 10.0 alone, from one for sm_100, which runs
#           on 10.3 as well, as in ptxas 12.9.
# Seen: since 13.0, e_flags are the same for sm_100, sm_100a and sm_100f. In the cubin, what is left is attribute 9 of
#       the section .nv.compat, which is 1 for sm_100a and 0 for the other two.
#
# Prints what it sees, and fails if it is something else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seen=
for wheel in nvidia-cuda-nvcc-cu12==12.9.86 nvidia-cuda-nvcc==13.0.88 nvidia-cuda-nvcc==13.5.37; do
    pip download -q --no-deps --only-binary=:all: --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 \
        --platform manylinux1_x86_64 -d "$work" "$wheel"
    python3 -m zipfile -e "$work"/*.whl "$work/$wheel"
    rm "$work"/*.whl
    ptxas=$(find "$work/$wheel" -name ptxas -type f)
    chmod +x "$ptxas"
    flags=
    for target in sm_100 sm_100a sm_100f; do
        printf '.version 8.8\n.target %s\n.address_size 64\n.visible .entry k() { ret; }\n' $target > "$work/k.ptx"
        "$ptxas" -arch=$target "$work/k.ptx" -o "$work/k.cubin"
        flags+="$(readelf -h "$work/k.cubin" | sed -n 's/.*Flags: *\(0x[0-9a-f]*\).*/\1/p') "
    done
    echo "$wheel: e_flags of sm_100, sm_100a, sm_100f: $flags"
    seen+="$flags;"
done

same="0x6006402 0x6006402 0x6006402 ;"
[ "$seen" = "0x6006402 0x600640a 0x6006402 ;$same$same" ]
