#!/bin/sh
# Slurm Prolog: verifies the GPUs of a job before it starts there. slurmd runs this as root on each node.
#
#   0                     the GPUs work, or the job has none, or the check could not be made
#   1                     they do not: the node is drained with the reason, and Slurm requeues the job
#
# A check that could not be made (no cudacheck, wrong use, killed) says nothing about the GPU. It is logged and
# lets the job start: a bad update of cudacheck would otherwise drain the whole cluster within minutes.
# Nothing here resumes a node; that is a person's decision.

# Slurm sets no search path.
export PATH="${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/opt/slurm/bin"
# SLURM_JOB_GPUS counts in PCI order, CUDA by default does not.
export CUDA_DEVICE_ORDER=PCI_BUS_ID

[ -n "${SLURM_JOB_GPUS:-}" ] || exit 0

# A kernel on every multiprocessor of the job's GPUs, and of no other. With MIG, Slurm's numbers are those of
# instances: use `--level nvml` and leave --gpus out.
says=$(cudacheck health --level smoke --gpus "$SLURM_JOB_GPUS" --timeout 20s 2>&1 </dev/null)
status=$?
line=$(printf '%s\n' "$says" | head -n 1 | cut -c 1-400)

# Wrong use ends with 1 as well, and says something else.
case "$status $line" in
"0 "*) exit 0 ;;
"1 unhealthy: "*)
    # Without this Slurm drains it all the same, and says "Prolog error" for a reason. Slurm's guide advises against
    # its own commands in a Prolog, since many at once are a load for the controller: only nodes that fail come here.
    timeout 10 scontrol update nodename="${SLURMD_NODENAME:-$(uname -n)}" state=drain reason="cudacheck: $line"
    echo "cudacheck: $line"
    exit 1
    ;;
*)
    logger -p daemon.err -t cudacheck "job ${SLURM_JOB_ID:-?} starts unverified, cudacheck ended with $status: $line"
    exit 0
    ;;
esac
