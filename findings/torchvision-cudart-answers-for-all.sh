#!/usr/bin/env bash
# torchvision's private copy of the CUDA runtime answers for everybody's libcudart.so.12.
#
# Version: torchvision 0.25.0; x86-64 wheel for CPython 3.11 from PyPI.
# Expected: a private copy that a wheel renames gets the new name as its soname too, as auditwheel does it, so that it
#           cannot be taken for another copy.
# Seen: torchvision.libs/libcudart.e8e8b82a.so.12 (a dot before the hash, where auditwheel writes a hyphen) keeps the
#       public soname libcudart.so.12. torchvision/image.so loads it by its file name. From then on, every
#       dlopen("libcudart.so.12") in the process gets this copy, also where no file of that name exists.
#
# Prints what it sees, and fails if it is something else.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip download -q --no-deps --only-binary=:all: --python-version 3.11 --platform manylinux_2_28_x86_64 -d "$work" \
    torchvision==0.25.0
python3 -m zipfile -e "$work"/*.whl "$work"
library=$(find "$work/torchvision.libs" -name 'libcudart.*')
soname=$(readelf -dW "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
needed=$(readelf -dW "$work/torchvision/image.so" | sed -n 's/.*(NEEDED).*\[\(libcudart.*\)\]/\1/p')
echo "${library##*/}: soname $soname; needed by torchvision/image.so as $needed"

answers=$(env -u LD_LIBRARY_PATH python3 - "$library" <<'PYTHON'
import ctypes, sys

def opened(name):
    try:
        ctypes.CDLL(name)
    except OSError as error:
        return str(error)
    return "opened"

before = opened("libcudart.so.12")
ctypes.CDLL(sys.argv[1])
print(before, opened("libcudart.so.12"), sep=", then ")
PYTHON
)
echo "dlopen(\"libcudart.so.12\") before and after it was loaded: $answers"

[ "${library##*/} $soname $needed" = "libcudart.e8e8b82a.so.12 libcudart.so.12 libcudart.e8e8b82a.so.12" ]
[ "$answers" = "libcudart.so.12: cannot open shared object file: No such file or directory, then opened" ]
