#!/bin/sh
# Runs each fuzz target for some seconds (20, or what is said), from the seeds in corpus/.
#
# Works with the stable toolchain: what cargo-fuzz would pass are flags of code generation. Needs g++
# for libFuzzer. Builds in $CARGO_TARGET_DIR, or in the outer target/fuzz. One line a target; the first
# input that ends one is named, and kept with the target's whole output.
set -eu

seconds=${1:-20}
cd "$(dirname "$0")"
here=$PWD
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$here/../../target/fuzz}"
triple=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --quiet --release --locked --target "$triple"

work=$(mktemp -d)
failed=
for target in targets/*.rs; do
    name=$(basename "$target" .rs)
    mkdir -p "$work/$name/corpus"
    log=$work/$name/log
    ended=0
    (cd "$work/$name" && "$CARGO_TARGET_DIR/$triple/release/$name" \
        -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -max_len=65536 \
        -print_final_stats=1 corpus "$here/corpus/$name") > "$log" 2>&1 || ended=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
    echo "$name: ${runs:-no} runs in $seconds s, ${covered:-nothing covered}"
    if [ "$ended" -ne 0 ]; then
        failed=yes
        grep -hE 'panicked|ERROR|SUMMARY' -A 1 "$log" >&2 || tail "$log" >&2
        echo "$name ended with $ended; its input: $(find "$work/$name" -maxdepth 1 -name '*-*'), all it said: $log" >&2
    fi
done
[ -z "$failed" ] || exit 1
rm -r "$work"
