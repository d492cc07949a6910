#!/usr/bin/env bash
# The broker beside HAProxy (one connection a request, and keep-alive) and the raw socket, in one run.
#
#   tests/bench/broker.sh BUILD_DIR [SECONDS [ENGINE_SOCKET]]
#
# First in front of a stand-in that does nothing else, so that the proxies are compared; then, if its socket is given, in
# front of a real engine, so that the broker's share of what a job waits for is seen.
#
# Compare columns of one run with each other, never with those of another machine.
set -euo pipefail

build=${1:?usage: broker.sh BUILD_DIR [SECONDS]}
seconds=${2:-3}
real=${3:-}
bench=$build/tests/broker/proxy_bench
work=$(mktemp -d)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

haproxy_config() { # NAME MODE_OPTIONS [ENGINE_SOCKET]
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
    server engine unix@${3:-$work/engine.sock}
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

[ -n "$real" ] || exit 0
echo
echo "in front of $(docker -H "unix://$real" version --format 'Docker {{.Server.Version}}')"
sed "s#$work/engine.sock#$real#; s#$work/broker.sock#$work/real.sock#" "$work/broker.json" >"$work/real.json"
"$build/tests/broker/broker_main" "$work/real.json" >"$work/real.log" 2>&1 & pid_real=$!
pids+=("$pid_real")
wait_for "$work/real.sock"
share() { # NAME DIRECT BROKER [BUDGET]
    echo "$2 $3 ${4:-0}" | awk -v name="$1" '{printf "%-36s direct %8.0f   broker %8.0f   ratio %.2f", name, $1, $2, $2 / $1
        if ($3 > 0) printf "   budget %.1f: %s", $3, ($2 / $1 >= $3) ? "kept" : "MISSED"
        print ""}'
}
# What the engine itself takes to look for one agent's containers only.
filter='?filters=%7B%22label%22%3A%5B%22org.gocd.agent.id%3Dbench%22%5D%7D'
read -r _ plain _ < <("$bench" requests "$real" /v1.41/containers/json 1 "$seconds")
read -r _ filtered _ < <("$bench" requests "$real" "/v1.41/containers/json$filter" 1 "$seconds")
echo "$plain $filtered" | awk '{printf "the filter that the broker adds costs the engine %.1f µs\n", $2 - $1}'
haproxy_real=''
if command -v haproxy >/dev/null; then
    haproxy_config real-keep "http-reuse always" "$real" >"$work/real-keep.cfg"
    haproxy -f "$work/real-keep.cfg" & pids+=($!)
    haproxy_real=$work/real-keep.sock
    wait_for "$haproxy_real"
fi
# Engine, broker and HAProxy take turns: what else this machine does then hits each of them.
rounds=3
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
measure() { # PATH CONNECTIONS: direct_rate, direct_p50, and the same of broker and haproxy
    local name round socket
    for round in $(seq $rounds); do
        for name in direct broker haproxy; do
            case $name in direct) socket=$real ;; broker) socket=$work/real.sock ;; haproxy) socket=$haproxy_real ;; esac
            [ -z "$socket" ] || "$bench" requests "$socket" "$1" "$2" "$seconds" >"$work/$name.$round"
        done
    done
    for name in direct broker haproxy; do
        [ -e "$work/$name.1" ] || continue
        printf -v "${name}_rate" %s "$(cut -d' ' -f1 "$work/$name".[0-9]* | median)"
        printf -v "${name}_p50" %s "$(cut -d' ' -f2 "$work/$name".[0-9]* | median)"
    done
}
for path in /_ping /v1.41/containers/json; do
    for connections in 1 10 50; do
        measure "$path" "$connections"
        # The budgets: half of the requests a second at 50 connections; 60 µs more for one that is alone.
        # shellcheck disable=SC2154 # measure sets them
        share "$path c=$connections req/s" "$direct_rate" "$broker_rate" "$([ "$connections" = 50 ] && echo 0.5)"
        # shellcheck disable=SC2154
        echo "$direct_p50 $broker_p50 $connections" | awk '{printf "  added p50 %.1f µs", $2 - $1
            if ($3 == 1) printf "   budget 60: %s", ($2 - $1 <= 60) ? "kept" : "MISSED"
            print ""}'
        [ -n "$haproxy_real" ] || continue
        # shellcheck disable=SC2154
        echo "$direct_rate $haproxy_rate $direct_p50 $haproxy_p50" |
            awk '{printf "  HAProxy (keep): %.0f req/s, ratio %.2f, added p50 %.1f µs\n", $2, $2 / $1, $4 - $3}'
    done
done

mkdir "$work/context"
mebibytes=256
head -c ${mebibytes}M /dev/urandom >"$work/context/data"
printf 'FROM scratch\nCOPY Dockerfile /\n' >"$work/context/Dockerfile"
tar -C "$work/context" -cf - data | docker -H "unix://$real" import - bench-load:test >/dev/null
docker -H "unix://$real" save -o "$work/image.tar" bench-load:test
load() { docker -H "unix://$1" load -q -i "$work/image.tar" >/dev/null; }
build_context() { DOCKER_BUILDKIT=0 docker -H "unix://$1" build -q "$work/context" >/dev/null 2>&1; }
took() { # COMMAND SOCKET: in µs
    local start=${EPOCHREALTIME/./}
    "$1" "$2"
    echo $((${EPOCHREALTIME/./} - start))
}
rate() { sort -n "$1" | awk -v size="$mebibytes" 'NR == 1 {printf "%.0f", size * 1000000 / $1}'; } # the best
for what in load build_context; do
    rm -f "$work"/took.*
    for _ in 1 2 3 4 5; do
        took $what "$real" >>"$work/took.direct"
        took $what "$work/real.sock" >>"$work/took.broker"
        [ -z "$haproxy_real" ] || took $what "$haproxy_real" >>"$work/took.haproxy"
    done
    share "$what MiB/s" "$(rate "$work/took.direct")" "$(rate "$work/took.broker")" 0.9
    [ -z "$haproxy_real" ] || echo "  HAProxy (keep): $(rate "$work/took.haproxy") MiB/s"
done
kill "$pid_real"
wait "$pid_real" 2>/dev/null || true
"$build/tests/broker/broker_main" --sweep "$real" bench >/dev/null 2>&1 || true
docker -H "unix://$real" rmi -f bench-load:test >/dev/null
docker -H "unix://$real" image prune -f --filter label=org.gocd.agent.id=bench >/dev/null
