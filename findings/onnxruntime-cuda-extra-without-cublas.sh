#!/usr/bin/env bash
# The extra "cuda" of onnxruntime-gpu does not bring what its CUDA provider is linked to.
#
# Version: onnxruntime-gpu 1.31.1; x86-64 wheel for CPython 3.11 from PyPI.
# Expected: `pip install onnxruntime-gpu[cuda]` installs the CUDA libraries that the CUDA provider needs.
# Seen: libonnxruntime_providers_cuda.so needs libcublas.so.13 and libcublasLt.so.13. The extra names NVRTC, cudart,
#       cuFFT and cuRAND, and none of them requires cuBLAS: it comes only with the extra "cudnn", because cuDNN's wheel
#       requires it. The provider also needs libcuda.so.1, so that it cannot be loaded where there is no driver.
#
# Prints what it sees, and fails if it is something else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
platforms=(--only-binary=:all: --python-version 3.11)
for platform in manylinux_2_28_x86_64 manylinux_2_27_x86_64 manylinux2014_x86_64 manylinux2010_x86_64; do
    platforms+=(--platform "$platform")
done
pip download -q --no-deps "${platforms[@]}" -d "$work" onnxruntime-gpu==1.31.1
python3 -m zipfile -e "$work"/*.whl "$work"
needs=$(readelf -dW "$work/onnxruntime/capi/libonnxruntime_providers_cuda.so" |
    sed -n 's/.*(NEEDED).*\[\(libcu.*\)\]/\1/p' | sort | tr '\n' ' ')
echo "libonnxruntime_providers_cuda.so needs $needs"
seen="$needs;"
for extras in cuda cuda,cudnn; do
    pip install -q --dry-run --ignore-installed "${platforms[@]}" --target "$work/none" --report "$work/report.json" \
        "onnxruntime-gpu[$extras]==1.31.1"
    wheels=$(python3 -c 'import json, sys
names = {one["metadata"]["name"] for one in json.load(open(sys.argv[1]))["install"]}
print(*sorted(name for name in names if name.startswith("nvidia-")))' "$work/report.json")
    echo "onnxruntime-gpu[$extras] installs $wheels"
    seen+="$wheels;"
done

cuda="nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cufft nvidia-curand nvidia-nvjitlink"
cudnn="nvidia-cublas nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 ${cuda#*runtime }"
[ "$seen" = "libcublas.so.13 libcublasLt.so.13 libcuda.so.1 libcudart.so.13 libcurand.so.10 ;$cuda;$cudnn;" ]
