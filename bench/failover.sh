#!/usr/bin/env bash
# How long traffic is lost between two hosts, by what fails and how, with BFD and without: the network of
# DIR on a twin in virtual time, so the machine's speed does not matter.
#   bench/failover.sh [DIR] [FROM] [TO]        default: examples/azure-oci app-0 db
# DIR has a variable `bfd`. Prints the table of `skybridge failover` twice; ends the lab that it started.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:-examples/azure-oci}
from=${2:-app-0}
to=${3:-db}
# SKYBRIDGE=path measures a binary that is there already.
[ -n "${SKYBRIDGE:-}" ] || cargo build --quiet --release --package skybridge
bin=${SKYBRIDGE:-${CARGO_TARGET_DIR:-target}/release/skybridge}
lab=failover-$$
trap '"$bin" down --lab "$lab" >/dev/null 2>&1 || true' EXIT
for bfd in true false; do
  "$bin" up "$dir" --lab "$lab" --detach --no-simulation --seed 1 -var "bfd=$bfd" >/dev/null 2>&1
  echo "bfd = $bfd"
  "$bin" failover "$from" "$to" --lab "$lab"
  "$bin" down --lab "$lab" >/dev/null 2>&1
done
