#!/usr/bin/env bash
# Many circuits at once: time to start, memory per circuit, CPU while nothing happens.
#   bench/circuits.sh [CIRCUITS...]           default: 1 50 200, the quotas raised in circuits/lab.sky.hcl
# Each circuit has a virtual network, an ExpressRoute gateway, a DRG and a VCN of its own, four BGP
# sessions between clouds and BFD on two of them (bench/circuits/main.tf). Linux: it reads /proc.
set -euo pipefail
cd "$(dirname "$0")/.."
# SKYBRIDGE=path measures a binary that is there already.
[ -n "${SKYBRIDGE:-}" ] || cargo build --quiet --release --package skybridge
bin=$(realpath "${SKYBRIDGE:-${CARGO_TARGET_DIR:-target}/release/skybridge}")
work=$(mktemp -d)
pid=
stop() {
  [ -z "$pid" ] || kill -INT "$pid" 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
ticks=$(getconf CLK_TCK)
cpu() { awk '{print $14 + $15}' "/proc/$pid/stat"; }
memory() { awk '/^VmRSS:/ {print $2}' "/proc/$pid/status"; }
echo "machine: $(nproc) CPUs, load $(cut -d' ' -f1-3 /proc/loadavg); $("$bin" --version)"
base=
for circuits in "${@:-1 50 200}"; do
  for count in $circuits; do
    "$bin" up --no-simulation --seed 1 --output json --lab "$work/$count.sock" --var "circuits=$count" \
      bench/circuits >"$work/report.json" 2>"$work/errors" &
    pid=$!
    begun=$(date +%s%N)
    until [ -s "$work/report.json" ] && python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$work/report.json" 2>/dev/null; do
      if ! kill -0 "$pid" 2>/dev/null || [ $(($(date +%s%N) - begun)) -gt 300000000000 ]; then
        echo "$count circuits: did not come up:" >&2
        tail -n 20 "$work/errors" "$work/report.json" >&2
        exit 1
      fi
      sleep 0.05
    done
    started_ms=$((($(date +%s%N) - begun) / 1000000))
    kill -0 "$pid" 2>/dev/null || { tail -n 20 "$work/errors" "$work/report.json" >&2; exit 1; }
    sleep 5
    rss=$(memory)
    before=$(cpu)
    sleep 10
    after=$(cpu)
    base=${base:-$rss}
    python3 - "$work/report.json" "$count" "$started_ms" "$rss" "$base" "$(((after - before) * 1000 / ticks))" <<'PY'
import json, sys
path, count, started, rss, base, cpu_ms = sys.argv[1:]
count, rss, base = int(count), int(rss), int(base)
report = json.load(open(path))
def find(node, key):
    if isinstance(node, dict):
        if key in node:
            return node[key]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            found = find(child, key)
            if found is not None:
                return found
    return None
sessions = find(report, "sessions") or []
up = sum(str(s.get("state", "")).lower() == "established" for s in sessions)
per = f"{(rss - base) / (count - 1):.0f} KiB a circuit beyond the first" if count > 1 else "base"
print(f"{count:4} circuits: up in {find(report, 'network_up_ms')} ms on the lab's clock, checked in {find(report, 'checked_ms')} ms, report after {started} ms of wall time, "
      f"{up} of {len(sessions)} sessions established, {rss / 1024:.1f} MiB ({per}), "
      f"idle CPU {float(cpu_ms) / 10000 * 100:.1f} % of a core over 10 s")
PY
    kill -INT "$pid"
    wait "$pid" || true
    pid=
  done
done
