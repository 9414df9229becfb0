#!/bin/sh
# Slurm Prolog: verifies the GPUs of a job before the job starts. slurmd runs this as root on each node.
#
#   0                     the GPUs work, the job has no GPUs, or the check did not run
#   1                     a GPU failed: the node is drained with the cause as the reason, and Slurm requeues the job
#
# A check that did not run (cudacheck missing, wrong arguments, killed) is logged, and the job starts: otherwise a bad
# update of cudacheck would drain the whole cluster within minutes. It never resumes a node; that is left to the
# administrator.

# Slurm sets no PATH.
export PATH="${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/opt/slurm/bin"
# SLURM_JOB_GPUS are numbers in PCI order, which is not CUDA's default order.
export CUDA_DEVICE_ORDER=PCI_BUS_ID

[ -n "${SLURM_JOB_GPUS:-}" ] || exit 0

# Runs a kernel on every SM of the job's GPUs, and on no other GPU. With MIG, Slurm numbers the instances: use
# `--level nvml` without --gpus.
says=$(cudacheck health --level smoke --gpus "$SLURM_JOB_GPUS" --timeout 20s 2>&1 </dev/null)
status=$?
line=$(printf '%s\n' "$says" | head -n 1 | cut -c 1-400)

# Wrong arguments also exit with 1, but print no verdict.
case "$status $line" in
"0 "*) exit 0 ;;
"1 unhealthy: "*)
    # Slurm would drain the node anyway, but with the reason "Prolog error". Slurm's guide advises against calling
    # scontrol in a Prolog because of the load on the controller, but only failing nodes do so here.
    timeout 10 scontrol update nodename="${SLURMD_NODENAME:-$(uname -n)}" state=drain reason="cudacheck: $line"
    echo "cudacheck: $line"
    exit 1
    ;;
*)
    logger -p daemon.err -t cudacheck "job ${SLURM_JOB_ID:-?} starts unverified, cudacheck ended with $status: $line"
    exit 0
    ;;
esac
