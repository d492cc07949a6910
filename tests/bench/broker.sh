#!/usr/bin/env bash
# The broker beside HAProxy (one connection a request, and keep-alive) and the raw socket, in one run.
#
#   tests/bench/broker.sh BUILD_DIR [SECONDS]
#
# Compare columns of one run with each other, never with those of another machine.
set -euo pipefail

build=${1:?usage: broker.sh BUILD_DIR [SECONDS]}
seconds=${2:-3}
bench=$build/tests/broker/proxy_bench
work=$(mktemp -d)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

haproxy_config() { # SOCKET MODE_OPTIONS
    cat <<END
global
    maxconn 2000
defaults
    mode http
    timeout connect 5s
    timeout client 10m
    timeout server 10m
    timeout tunnel 10m
    $2
frontend in
    bind unix@$work/$1.sock mode 666
    default_backend engine
backend engine
    server engine unix@$work/engine.sock
END
}

wait_for() { for _ in $(seq 100); do [ -S "$1" ] && return; sleep 0.05; done; echo "no $1" >&2; exit 1; }

"$bench" engine "$work/engine.sock" & pids+=($!)
wait_for "$work/engine.sock"
haproxy_config close "option httpclose" >"$work/close.cfg"
haproxy_config keep "http-reuse always" >"$work/keep.cfg"
names=(engine)
if command -v haproxy >/dev/null; then
    for kind in close keep; do
        haproxy -f "$work/$kind.cfg" & pids+=($!)
        declare "pid_$kind=$!"
        wait_for "$work/$kind.sock"
    done
    names+=(close keep)
else
    echo "haproxy is not installed: without its columns"
fi
cat >"$work/broker.json" <<END
{"mode":"dood","host_socket":"$work/engine.sock","listen_path":"$work/broker.sock","agent_id":"bench","incarnation":"1",
 "own_container":"$(printf 'b%.0s' $(seq 64))","mounts":[]}
END
"$build/tests/broker/broker_main" "$work/broker.json" >"$work/broker.log" 2>&1 & pids+=($!)
pid_broker=$!
wait_for "$work/broker.sock"
names+=(broker)

row() { printf '%-28s' "$1"; shift; printf '%26s' "$@"; echo; }
row "" "${names[@]}"
# One connection a request would end the load generator's connections; it is measured for streams only.
for path in /_ping /v1.41/containers/json; do
    for connections in 1 10 50; do
        cells=()
        for name in "${names[@]}"; do
            if [ "$name" = close ]; then cells+=("-"); continue; fi
            read -r rate p50 p99 < <("$bench" requests "$work/$name.sock" "$path" "$connections" "$seconds")
            cells+=("$rate/s $p50 $p99")
        done
        row "$path c=$connections" "${cells[@]}"
    done
done

cpu_of() { awk '{print $14 + $15}' "/proc/$1/stat"; }
for what in upload download exec; do
    cells=()
    for name in "${names[@]}"; do
        pid_var=pid_$name
        pid=${!pid_var:-$$}
        best=999
        before=$(cpu_of "$pid")
        for _ in 1 2 3; do
            taken=$("$bench" "$what" "$work/$name.sock" 1024)
            best=$(echo "$taken $best" | awk '{print ($1 < $2) ? $1 : $2}')
        done
        after=$(cpu_of "$pid")
        cells+=("$(echo "$best $before $after" | awk '{printf "%.0f MiB/s %.2f s/GiB", 1024 / $1, ($3 - $2) / 300}')")
    done
    row "$what 1 GiB" "${cells[@]}"
done

rss() { awk '/^VmRSS/ {print $2}' "/proc/$pid_broker/status"; }
for count in 0 100 1000; do
    if [ "$count" -gt 0 ]; then
        "$bench" hold "$work/broker.sock" "$count" 5 >"$work/held" & holder=$!
        for _ in $(seq 100); do grep -q held "$work/held" && break; sleep 0.05; done
    fi
    echo "broker RSS with $count idle hijacks: $(rss) KiB"
    if [ "$count" -gt 0 ]; then kill "$holder"; wait "$holder" 2>/dev/null || true; fi
done
