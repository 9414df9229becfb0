#!/bin/sh
# Custom plugin of node-problem-detector: what cudacheck says of the node's GPUs, as a condition of the node.
#
#   0 OK        the GPUs work; a busy one does
#   1 NonOK     they do not, or it is undecided; the first line says why, and what to do
#   2 Unknown   the check could not be made: no cudacheck, wrong use, killed
#
# The detector is run on the host, or in a container that is given all GPUs like kubernetes/daemonset.yaml.

export PATH="${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin"

says=$(cudacheck health --level nvml --timeout 10s 2>&1 </dev/null)
status=$?
# The detector cuts at max_output_length bytes; the verdict and its cause come first.
line=$(printf '%s\n' "$says" | head -n 1)

# Wrong use ends with 1 as well, and says something else.
case "$status $line" in
"0 "* | "1 unhealthy: "*)
    printf '%s\n' "$line"
    exit "$status"
    ;;
*)
    printf 'not checked, cudacheck ended with %s: %s\n' "$status" "$line"
    exit 2
    ;;
esac
