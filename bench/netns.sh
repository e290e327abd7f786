#!/usr/bin/env bash
# Two namespace hosts over the six routers from OCI to Azure (VCN router, DRG, FastConnect edge, MSEE, gateway, VNet router)
# against a chain of six Linux namespaces with ip_forward, joined by veths: TCP (iperf3, one stream, SECONDS) and UDP
# frames of 64 octets (bench/src/bin/blast.rs). The same as root and as an ordinary user. Ceilings are off
# (`up --no-ceilings`: policers and link rates stay in the path and never bind).
#   bench/netns.sh [ROUNDS] [SECONDS]          default: 5 rounds of 3 s
# Sender on CPU 0, receiver on CPU 1; the lab runs where the kernel puts it. Needs root, iperf3 and setpriv.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}
seconds=${2:-3}
[ -n "${SKYBRIDGE:-}" ] || cargo build --quiet --release --package skybridge
cargo build --quiet --release --package skybridge-bench --bin blast
target=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d /tmp/skybridge-bench.XXXXXX)
chmod 755 "$work"
cp "${SKYBRIDGE:-$target/skybridge}" "$work/skybridge"
cp "$target/blast" "$work/blast"
cp -r examples/azure-oci "$work/example"
nobody=65534
as_root() { XDG_RUNTIME_DIR=$work/root "$work/skybridge" "$@"; }
# /dev/net/tun with its usual mode, whatever it has here.
as_user() {
  XDG_RUNTIME_DIR=$work/user unshare --mount sh -c \
    'mount --bind "$0/tun" /dev/net/tun; exec setpriv --reuid '$nobody' --regid '$nobody' --clear-groups "$0/skybridge" "$@"' \
    "$work" "$@"
}
end() {
  as_root down >/dev/null 2>&1 || true
  as_user down >/dev/null 2>&1 || true
  as_root clean >/dev/null 2>&1 || true
  as_user clean >/dev/null 2>&1 || true
  for name in c r1 r2 r3 r4 r5 r6 s; do ip netns del "skybench-$name" 2>/dev/null || true; done
  rm -rf "$work"
}
trap end EXIT
mkdir -m 700 "$work/root" "$work/user"
chown $nobody:$nobody "$work/user"
mknod "$work/tun" c 10 200
chmod 666 "$work/tun"

# The chain: 10.9.0.0/24 - r1 - … - r6 - 10.9.7.0/24, one /24 per cable.
nodes=(c r1 r2 r3 r4 r5 r6 s)
for name in "${nodes[@]}"; do
  ip netns add "skybench-$name"
  ip -n "skybench-$name" link set lo up
  ip netns exec "skybench-$name" sysctl -qw net.ipv4.ip_forward=1
done
for i in 0 1 2 3 4 5 6; do
  a=skybench-${nodes[$i]} b=skybench-${nodes[$((i + 1))]}
  ip -n "$a" link add "d$i" type veth peer name "u$i" netns "$b"
  ip -n "$a" addr add "10.9.$i.1/24" dev "d$i"
  ip -n "$b" addr add "10.9.$i.2/24" dev "u$i"
  ip -n "$a" link set "d$i" up
  ip -n "$b" link set "u$i" up
done
for i in 0 1 2 3 4 5 6; do
  for net in 0 1 2 3 4 5 6; do
    # Cables beyond the next node lie downstream of the left end and upstream of the right end.
    [ "$net" -le "$i" ] || ip -n "skybench-${nodes[$i]}" route add "10.9.$net.0/24" via "10.9.$i.2"
    [ "$net" -ge "$i" ] || ip -n "skybench-${nodes[$((i + 1))]}" route add "10.9.$net.0/24" via "10.9.$i.1"
  done
done

as_root up "$work/example" --hosts netns --no-ceilings --no-simulation --detach >/dev/null 2>&1
as_user up "$work/example" --hosts netns --no-ceilings --no-simulation --detach >/dev/null 2>&1

# send|receive WHICH CMD…: in the sender's or the receiver's namespace.
send() { which=$1; shift; case $which in
  chain) taskset -c 0 ip netns exec skybench-c "$@" ;;
  root) taskset -c 0 env XDG_RUNTIME_DIR="$work/root" "$work/skybridge" exec db -- "$@" ;;
  user) as_user exec db -- taskset -c 0 "$@" ;; esac; }
receive() { which=$1; shift; case $which in
  chain) taskset -c 1 ip netns exec skybench-s "$@" ;;
  root) taskset -c 1 env XDG_RUNTIME_DIR="$work/root" "$work/skybridge" exec app-0 -- "$@" ;;
  user) as_user exec app-0 -- taskset -c 1 "$@" ;; esac; }
address() { case $1 in chain) echo 10.9.6.2 ;; *) echo 10.20.1.4 ;; esac; }
device() { case $1:$2 in chain:send) echo d0 ;; chain:receive) echo u6 ;; *) echo eth0 ;; esac; }

tcp() {
  receive "$1" iperf3 -s -1 -p 5999 >/dev/null 2>&1 &
  for _ in $(seq 50); do
    sleep 0.1
    out=$(send "$1" iperf3 -c "$(address "$1")" -p 5999 -t "$seconds" -J 2>/dev/null) && break
  done
  wait $! 2>/dev/null || true
  python3 -c 'import json,sys; print(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"]/1e9)' <<<"$out"
}
udp() {
  local src gateway
  # The neighbour is known once something was sent there.
  send "$1" sh -c "iperf3 -c $(address "$1") -p 1 -t 1 --connect-timeout 200 >/dev/null 2>&1; true"
  src=$(case $1 in chain) echo 10.9.0.1 ;; *) echo 10.40.1.2 ;; esac)
  gateway=$(send "$1" ip neigh show dev "$(device "$1" send)" | awk '/lladdr/ {print $3; exit}')
  receive "$1" "$work/blast" sink "$(device "$1" receive)" 9 0.7 "$seconds" >"$work/udp" &
  local sink=$!
  send "$1" "$work/blast" send "$(device "$1" send)" "$gateway" "$src" "$(address "$1")" 64 \
    "$(awk "BEGIN {print $seconds + 1.2}")" >"$work/offered"
  wait $sink
  awk '{print $1 / 1e6}' "$work/udp"
}
median() { sort -g | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

for round in $(seq "$rounds"); do
  for which in chain root user; do
    tcp $which >>"$work/tcp-$which"
    udp $which >>"$work/udp-$which"
  done
  echo "round $round: TCP Gbit/s chain $(tail -1 "$work/tcp-chain") root $(tail -1 "$work/tcp-root") user $(tail -1 "$work/tcp-user");" \
    "UDP Mpps chain $(tail -1 "$work/udp-chain") root $(tail -1 "$work/udp-root") user $(tail -1 "$work/udp-user")"
done
for what in tcp udp; do
  c=$(median <"$work/$what-chain") r=$(median <"$work/$what-root") u=$(median <"$work/$what-user")
  awk -v w=$what -v c="$c" -v r="$r" -v u="$u" 'BEGIN {
    printf "%s: chain %.2f, root %.2f (%.2fx), ordinary user %.2f (%.2fx) %s\n", w, c, r, r / c, u, u / c, w == "tcp" ? "Gbit/s" : "Mpps" }'
done
echo "load $(cut -d' ' -f1-3 /proc/loadavg), $(nproc) CPUs"
