#!/bin/sh
# Runs fuzz targets from the seeds in corpus/: run.sh [SECONDS [TARGET...]]. Default: 20 s each, all targets.
#
# Works with the stable toolchain, using the code generation flags of cargo-fuzz. Requires g++ for libFuzzer.
# Builds in $CARGO_TARGET_DIR, by default in the outer target/fuzz. Prints a line per target. If a target fails,
# its input and output are kept.
set -eu

seconds=${1:-20}
[ $# -eq 0 ] || shift
cd "$(dirname "$0")"
here=$PWD
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$here/../../target/fuzz}"
triple=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
[ $# -gt 0 ] || set -- $(basename -s .rs targets/*.rs)
cargo build --quiet --release --locked --target "$triple" $(printf -- '--bin %s ' "$@")

work=$(mktemp -d)
failed=
for name; do
    mkdir -p "$work/$name/corpus"
    log=$work/$name/log
    status=0
    (cd "$work/$name" && "$CARGO_TARGET_DIR/$triple/release/$name" \
        -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -max_len=65536 \
        -print_final_stats=1 corpus "$here/corpus/$name") > "$log" 2>&1 || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
    echo "$name: ${runs:-no} runs in $seconds s, ${covered:-no coverage}"
    if [ "$status" -ne 0 ]; then
        failed=yes
        grep -hE 'panicked|ERROR|SUMMARY' -A 1 "$log" >&2 || tail "$log" >&2
        echo "$name failed with status $status; input: $(find "$work/$name" -maxdepth 1 -name '*-*'), output: $log" >&2
    fi
done
[ -z "$failed" ] || exit 1
rm -r "$work"
