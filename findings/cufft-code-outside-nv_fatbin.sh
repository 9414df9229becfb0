#!/usr/bin/env bash
# cuobjdump lists one image of a library that has 29,342.
#
# Versions: nvidia-cufft 12.2.0.57 (CUDA 13.2), nvidia-cuda-cuobjdump 13.5.37; x86-64 wheels from PyPI.
# Expected: `cuobjdump --all-fatbin --list-elf --list-ptx` shows for which GPUs a library has code.
# Seen: it reads .nv_fatbin, which has one region here. The other 29,341 regions, 270 MB of PTX, cubins and LTO-IR for
#       sm_75 to sm_120, are in .ldata. cuFFT finds them itself, so that they work, and tools that trust the section
#       name report a library without code for any current GPU.
#
# Prints what it sees, and fails if it is something else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip download -q --no-deps --only-binary=:all: --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \
    -d "$work" nvidia-cufft==12.2.0.57 nvidia-cuda-cuobjdump==13.5.37
for wheel in "$work"/*.whl; do python3 -m zipfile -e "$wheel" "$work"; done
library=$(find "$work" -name libcufft.so.12)
cuobjdump=$(find "$work" -name cuobjdump -type f)
chmod +x "$cuobjdump"

listed=$("$cuobjdump" --all-fatbin --list-elf --list-ptx "$library" | grep -c 'file *[0-9]*:')
echo "cuobjdump lists: $listed"

# A region begins with the magic 0xBA55ED50, version 1, header size 16.
regions=$(python3 - "$library" <<'PYTHON'
import collections, struct, sys

data = open(sys.argv[1], "rb").read()
table, = struct.unpack_from("<Q", data, 40)
size, count, names = struct.unpack_from("<HHH", data, 58)
headers = [struct.unpack_from("<IIQQQQIIQQ", data, table + size * index) for index in range(count)]
texts = headers[names][4]
regions = collections.Counter()
for name, kind, _, _, offset, length, *_ in headers:
    nobits = 8
    if kind != nobits:
        found = data.count(struct.pack("<IHH", 0xBA55ED50, 1, 16), offset, offset + length)
        start = texts + name
        regions[data[start:data.index(b"\0", start)].decode()] += found
print(*(f"{name}={number}" for name, number in sorted(regions.items()) if number))
PYTHON
)
echo "regions by section: $regions"

[ "$listed" = 1 ] && [ "$regions" = ".ldata=29341 .nv_fatbin=1" ]
