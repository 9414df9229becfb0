#!/bin/sh
# Slurm HealthCheckProgram: drains the node, with the reason, when its GPUs are not well. slurmd runs this as
# root every HealthCheckInterval seconds, beside running jobs: level nvml creates no context and takes no
# memory of a GPU.
#
# It always ends with 0: a slurmd that starts repeats it until it does, and would never register, with jobs
# still running. What could not be checked (no cudacheck, wrong use, killed) is logged and drains nothing.
# Nothing here resumes a node; that is a person's decision.

# Slurm sets no search path.
export PATH="${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/opt/slurm/bin"
node=${SLURMD_NODENAME:-$(uname -n)}

# Slurm kills this after 60 s. A check of the prolog that runs at this moment is waited for: longer than it takes.
says=$(cudacheck health --level nvml --timeout 40s 2>&1 </dev/null)
status=$?
line=$(printf '%s\n' "$says" | head -n 1 | cut -c 1-400)

# Wrong use ends with 1 as well, and says something else.
case "$status $line" in
"0 "*) ;;
"1 unhealthy: "*)
    # Somebody's own reason is not overwritten, nor the controller asked to do what is done already.
    state=$(scontrol --oneliner show node "$node" | sed -n 's/.* State=\([^ ]*\).*/\1/p')
    case $state in
    *DRAIN*) ;;
    *) scontrol update nodename="$node" state=drain reason="cudacheck: $line" ;;
    esac
    ;;
*) logger -p daemon.err -t cudacheck "GPUs not checked, cudacheck ended with $status: $line" ;;
esac
exit 0
