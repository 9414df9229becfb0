#!/usr/bin/env bash
# xformers requires a PyTorch for CUDA 12 and is linked to the runtime of CUDA 13.
#
# Versions: xformers 0.0.33 and the torch 2.9.0 that it pins; x86-64 wheels from PyPI.
# Expected: after `pip install xformers==0.0.33`, its extension loads.
# Seen: xformers/_C.so needs libcudart.so.13. torch 2.9.0 from PyPI requires nvidia-cuda-runtime-cu12, which has
#       libcudart.so.12, and nothing requires the other one. xformers catches the failure, logs that it "can't load
#       C++/CUDA extensions", and goes on without them.
#
# Prints what it sees, and fails if it is something else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip download -q --no-deps --only-binary=:all: --platform manylinux_2_28_x86_64 -d "$work" xformers==0.0.33
python3 -m zipfile -e "$work"/*.whl "$work/xformers"
pins=$(sed -n 's/^Requires-Dist: \(torch.*\)/\1/p' "$work"/xformers/*.dist-info/METADATA)
needs=$(readelf -dW "$work/xformers/xformers/_C.so" | sed -n 's/.*(NEEDED).*\[\(libcudart.*\)\]/\1/p')
# The metadata alone: the wheel of torch has 900 MB.
pip install -q --dry-run --ignore-installed --no-deps --only-binary=:all: --python-version 3.11 --target "$work/none" \
    --platform manylinux_2_28_x86_64 --report "$work/report.json" torch==2.9.0
runtime=$(python3 -c 'import json, sys
requires = json.load(open(sys.argv[1]))["install"][0]["metadata"]["requires_dist"]
print(*(one.partition(";")[0] for one in requires if "cuda-runtime" in one))' "$work/report.json")
echo "xformers 0.0.33 requires $pins, which requires $runtime; xformers/_C.so needs $needs"

[ "$pins $runtime $needs" = "torch==2.9.0 nvidia-cuda-runtime-cu12==12.8.90 libcudart.so.13" ]
