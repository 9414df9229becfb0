#!/bin/sh
# Custom plugin for node-problem-detector: reports the node's GPUs as a node condition.
#
#   0 OK        all GPUs work; a busy GPU counts as working
#   1 NonOK     a GPU failed, or its state could not be determined; the line has the cause and the fix
#   2 Unknown   the check did not run: cudacheck missing, wrong arguments, killed
#
# Run the detector on the host, or in a container that has all GPUs, as in kubernetes/daemonset.yaml.

export PATH="${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin"

says=$(cudacheck health --level nvml --timeout 10s 2>&1 </dev/null)
status=$?
# The detector truncates at max_output_length bytes; the verdict and its cause come first.
line=$(printf '%s\n' "$says" | head -n 1)

# Wrong arguments also exit with 1, but print no verdict.
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
