#!/usr/bin/env bash
# Fuzzes one target with libFuzzer on the pinned toolchain: fuzz/run.sh TARGET [SECONDS]
# It needs a C++ compiler for libFuzzer, no nightly and no cargo-fuzz. New inputs go to
# fuzz/target/found/TARGET, findings to fuzz/artifacts; the kept corpus is only read.
set -euo pipefail
cd "$(dirname "$0")"
target=${1:?which target: $(ls corpus | tr '\n' ' ')}
seconds=${2:-60}
[ -d "corpus/$target" ] || { echo "no target $target; there are: $(ls corpus | tr '\n' ' ')" >&2; exit 2; }
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
build=${CARGO_TARGET_DIR:-target}
# With --target, build scripts and macros are not instrumented.
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --quiet --release --target "$host" --target-dir "$build" --bin "$target"
mkdir -p "target/found/$target" "artifacts/$target"
seeds=()
case $target in
  stack) seeds=(../core/terraform/tests/recorded/stacks) ;;
  document) seeds=(../core/terraform/tests/recorded/documents) ;;
esac
exec "$build/$host/release/$target" "target/found/$target" "corpus/$target" "${seeds[@]}" \
  -artifact_prefix="artifacts/$target/" -max_total_time="$seconds" -timeout=10 -print_final_stats=1
