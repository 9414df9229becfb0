#!/bin/sh
# Slurm HealthCheckProgram: drains the node if one of its GPUs is unhealthy, with the cause as the reason. slurmd
# runs this as root every HealthCheckInterval seconds, also while jobs run: level nvml creates no context and takes
# no GPU memory.
#
# It always exits with 0. A starting slurmd repeats it until it does, and would otherwise never register, even with
# jobs running. If the check did not run (cudacheck missing, wrong arguments, killed), it logs that and drains
# nothing. It never resumes a node; that is left to the administrator.

# Slurm sets no PATH.
export PATH="${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/opt/slurm/bin"
node=${SLURMD_NODENAME:-$(uname -n)}

# Slurm kills this after 60 s. The timeout is longer than the prolog's, because this waits for a running check.
says=$(cudacheck health --level nvml --timeout 40s 2>&1 </dev/null)
status=$?
line=$(printf '%s\n' "$says" | head -n 1 | cut -c 1-400)

# Wrong arguments also exit with 1, but print no verdict.
case "$status $line" in
"0 "*) ;;
"1 unhealthy: "*)
    # Keep the reason of a node that is drained already.
    state=$(scontrol --oneliner show node "$node" | sed -n 's/.* State=\([^ ]*\).*/\1/p')
    case $state in
    *DRAIN*) ;;
    *) scontrol update nodename="$node" state=drain reason="cudacheck: $line" ;;
    esac
    ;;
*) logger -p daemon.err -t cudacheck "GPUs not checked, cudacheck ended with $status: $line" ;;
esac
exit 0
