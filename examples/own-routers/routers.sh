#!/bin/sh
# Runs FRR as ce1 and BIRD as ce2, each in a network namespace of its own: `routers.sh start`, `routers.sh stop`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
run=/run/own-routers
frr=/usr/lib/frr

# Waits in a namespace for the port that skybridge makes there, and readies it.
await_port() {
    until ip -n "$1" link set wan up 2>/dev/null; do sleep 0.2; done
    ip -n "$1" address replace 192.168.0.1/32 dev lo
    ip netns exec "$1" sysctl -qw net.ipv4.ip_forward=1
}

start_frr() {
    await_port frr
    for daemon in zebra staticd bfdd bgpd; do
        : >"$run/frr/$daemon.conf"
        chown -R frr:frr "$run/frr"
        ip netns exec frr "$frr/$daemon" -d -P 0 -f "$run/frr/$daemon.conf" \
            -i "$run/frr/$daemon.pid" -z "$run/frr/zserv.api" --vty_socket "$run/frr" \
            $([ "$daemon" != bfdd ] || echo --bfdctl "$run/frr/bfdd.sock")
    done
    ip netns exec frr vtysh --vty_socket "$run/frr" -f "$here/ce1-frr.conf"
}

start_bird() {
    await_port bird
    ip -n bird address replace 172.30.255.5/30 dev wan
    ip netns exec bird bird -c "$here/ce2-bird.conf" -s "$run/bird.ctl" -P "$run/bird.pid"
}

case "${1:-}" in
start)
    mkdir -p "$run/frr"
    for name in frr bird; do
        ip netns list | grep -qw "$name" || ip netns add "$name"
        ip -n "$name" link set lo up
    done
    # By exec, or the shell keeps copies of its own output open for as long.
    { exec >"$run/frr.log" 2>&1; start_frr; } &
    echo $! >"$run/start-frr.pid"
    { exec >"$run/bird.log" 2>&1; start_bird; } &
    echo $! >"$run/start-bird.pid"
    ;;
stop)
    for file in "$run"/start-*.pid "$run"/frr/*.pid "$run/bird.pid"; do
        [ ! -f "$file" ] || kill "$(cat "$file")" 2>/dev/null || true
    done
    for name in frr bird; do
        ip netns del "$name" 2>/dev/null || true
    done
    rm -rf "$run"
    ;;
*)
    echo "usage: routers.sh start|stop" >&2
    exit 2
    ;;
esac
