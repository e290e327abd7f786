#!/usr/bin/env bash
# From nothing to a checked network: `skybridge up --once DIR`, measured from outside.
#   bench/cold-start.sh [RUNS] [DIR]          default: 10 runs of examples/azure-oci
# Prints one line per run and the median, least and greatest of: wall time, the two times that the program
# reports, user and system time, greatest resident memory. Needs GNU time and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-10}
dir=${2:-examples/azure-oci}
# SKYBRIDGE=path measures a binary that is there already.
[ -n "${SKYBRIDGE:-}" ] || cargo build --quiet --release --package skybridge
bin=${SKYBRIDGE:-${CARGO_TARGET_DIR:-target}/release/skybridge}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "machine: $(nproc) CPUs, load $(cut -d' ' -f1-3 /proc/loadavg); $("$bin" --version); $dir"
for run in $(seq "$runs"); do
  code=0
  /usr/bin/time -o "$work/time" -f '%e %U %S %M' \
    "$bin" up --once --no-simulation --seed "$run" --output json "$dir" \
    >"$work/report.json" 2>"$work/errors" || code=$?
  if [ "$code" -gt 1 ] && [ "$code" -ne 3 ]; then
    echo "run $run ended with exit code $code:" >&2
    tail -n 20 "$work/errors" "$work/report.json" >&2
    exit 1
  fi
  python3 - "$run" "$code" "$work" >>"$work/rows" <<'PY'
import json, sys
run, code, work = sys.argv[1:]
def summary(node):
    if isinstance(node, dict):
        if "network_up_ms" in node:
            return node
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            found = summary(child)
            if found:
                return found
    return None
s = summary(json.load(open(f"{work}/report.json")))
wall, user, system, rss = open(f"{work}/time").read().split("\n")[-2].split()
print(run, code, float(wall) * 1000, s["network_up_ms"], s["checked_ms"],
      float(user) * 1000, float(system) * 1000, int(rss) / 1024, s["clock_slips"])
PY
  tail -n 1 "$work/rows" | awk '{printf "run %s: exit %s, wall %d ms, network up %d ms, checked %d ms, user %d ms, system %d ms, %.1f MiB, %d clock slips\n",$1,$2,$3,$4,$5,$6,$7,$8,$9}'
done
python3 - "$work/rows" <<'PY'
import statistics, sys
rows = [list(map(float, line.split())) for line in open(sys.argv[1])]
names = ["wall ms", "network up ms", "checked ms", "user ms", "system ms", "memory MiB"]
for column, name in enumerate(names, 2):
    values = [row[column] for row in rows]
    print(f"{name:14} median {statistics.median(values):8.1f}  least {min(values):8.1f}  greatest {max(values):8.1f}")
print(f"clock slips    {int(sum(row[8] for row in rows))} in all; with any, the times are this machine's, not the program's")
PY
