#!/usr/bin/env bash
# cuobjdump lists a cubin for sm_100f as one for sm_100.
#
# Versions: nvidia-cuda-nvcc 13.5.37, nvidia-cuda-cuobjdump 13.4.92 and 13.5.37; x86-64 wheels from PyPI.
# Expected: `cuobjdump --list-elf --list-ptx` names the target of each entry.
# Seen: it names a family-specific cubin t.1.sm_100.cubin and the PTX of the same target t.1.sm_100f.ptx; an
#       architecture-specific cubin keeps its "a". `cuobjdump FILE` prints arch = sm_100f for both. Scripts that read
#       the list cannot tell sm_100f from sm_100.
#
# Prints what it sees, and fails if it is something else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
get() {
    pip download -q --no-deps --only-binary=:all: --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 \
        -d "$work" "$1"
    python3 -m zipfile -e "$work"/*.whl "$work/$1"
    rm "$work"/*.whl
    find "$work/$1" -path '*/bin/*' -type f -exec chmod +x {} +
}
get nvidia-cuda-nvcc==13.5.37
bin=$(dirname "$(find "$work" -name ptxas)")
cd "$work"
for target in sm_100f sm_100a; do
    printf '.version 9.0\n.target %s\n.address_size 64\n.visible .entry k() { ret; }\n' $target > $target.ptx
    "$bin/ptxas" -arch=$target $target.ptx -o $target.cubin
done
"$bin/fatbinary" --create=t.fatbin -64 --image3=kind=elf,sm=100f,file=sm_100f.cubin \
    --image3=kind=ptx,sm=100f,file=sm_100f.ptx --image3=kind=elf,sm=100a,file=sm_100a.cubin
seen=
for version in 13.4.92 13.5.37; do
    get "nvidia-cuda-cuobjdump==$version"
    tool=$(find "$work/nvidia-cuda-cuobjdump==$version" -name cuobjdump -type f)
    names=$("$tool" --list-elf --list-ptx t.fatbin | sed -n 's/.*file *[0-9]*: //p' | tr '\n' ' ')
    listing=$("$tool" t.fatbin | sed -n 's/^arch = //p' | tr '\n' ' ')
    echo "cuobjdump $version: list: $names; listing: $listing"
    seen+="$names$listing;"
done

want="t.1.sm_100.cubin t.1.sm_100f.ptx t.2.sm_100a.cubin sm_100f sm_100f sm_100a ;"
[ "$seen" = "$want$want" ]
