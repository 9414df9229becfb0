#!/usr/bin/env bash
# NVRTC of CUDA 13.0's wheel does not find the library beside it.
#
# Versions: nvidia-cuda-nvrtc-cu12 12.9.86, nvidia-cuda-nvrtc 13.0.88 and 13.1.115; x86-64 wheels from PyPI.
# Expected: `pip install nvidia-cuda-nvrtc` is enough to compile a kernel.
# Seen: libnvrtc.so.13 of 13.0 opens libnvrtc-builtins.so.13.0 by its bare name and has neither DT_RPATH nor DT_RUNPATH,
#       so that every compilation ends with error 7, unless LD_LIBRARY_PATH leads there or the program has loaded the
#       builtins before. 12.9 and 13.1 have $ORIGIN in DT_RUNPATH.
#
# Prints what it sees, and fails if it is something else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/compile.py" <<'PYTHON'
import ctypes, sys

nvrtc = ctypes.CDLL(sys.argv[1])
program, size = ctypes.c_void_p(), ctypes.c_size_t()
source = b"__global__ void k(float *x) { x[0] = 1; }"
assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"k.cu", 0, None, None) == 0
result = nvrtc.nvrtcCompileProgram(program, 1, (ctypes.c_char_p * 1)(b"--gpu-architecture=compute_80"))
nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
log = ctypes.create_string_buffer(size.value)
nvrtc.nvrtcGetProgramLog(program, log)
print(result, log.value.decode().partition("\n")[0])
PYTHON
seen=
for wheel in nvidia-cuda-nvrtc-cu12==12.9.86 nvidia-cuda-nvrtc==13.0.88 nvidia-cuda-nvrtc==13.1.115; do
    pip download -q --no-deps --only-binary=:all: --platform manylinux2014_x86_64 --platform manylinux2010_x86_64 \
        -d "$work" "$wheel"
    python3 -m zipfile -e "$work"/*.whl "$work/$wheel"
    rm "$work"/*.whl
    library=$(find "$work/$wheel" -name 'libnvrtc.so.1?')
    alone=$(env -u LD_LIBRARY_PATH python3 "$work/compile.py" "$library")
    with=$(LD_LIBRARY_PATH=$(dirname "$library") python3 "$work/compile.py" "$library")
    echo "$wheel: ${alone% }; with LD_LIBRARY_PATH: ${with% }"
    seen+="$alone,$with;"
done

[ "$seen" = "0 ,0 ;7 nvrtc: error: failed to open libnvrtc-builtins.so.13.0.,0 ;0 ,0 ;" ]
