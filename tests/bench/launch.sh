#!/usr/bin/env bash
# From `docker run` to a job's first docker answer, for each way to launch the agent; called by tests/bench/run, which has
# prepared engine, image and stub server. All in one run, round by round, beside the wrapper: what the official image runs.
#   launch.sh IMAGE ROUNDS LABEL STUB_SERVER FILES
set -euo pipefail
image=$1 rounds=$2 label=$3 stub=$4 files=$5
work=$(mktemp -d)
server=''
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    docker ps -aq --filter "label=$label" | xargs -r docker rm -fv >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT

median() { sort -n | awk '{v[NR] = $1} END {print NR ? v[int((NR + 1) / 2)] : "?"}'; }
now() { echo $((${EPOCHREALTIME/./} / 1000)); }
host_address() {
    local range
    range=$(cat "$(dirname "${DOCKER_HOST#unix://}")/range" 2>/dev/null || true)
    if [ -n "$range" ]; then echo "$range.255.1"; else docker network inspect bridge -f '{{(index .IPAM.Config 0).Gateway}}'; fi
}
seen() { sed -n "s/^{\"t_us\":\([0-9]*\)[0-9][0-9][0-9],\"event\":\"$1\".*/\1/p" "$work/record" | head -n 1; }
timeline() { docker exec -u root "$1" gocd-supervisor status --json | tr -d '\n' | sed -n "s/.*\"event\": *\"$2\", *\"milliseconds\": *\([0-9]*\).*/\1/p"; echo; }
resident() { docker exec -u root "$1" sh -c 'for p in $(pgrep -x java); do sed -n "s/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p" /proc/$p/status; done' | awk '{s += $1} END {print int(s / 1024)}'; }

cache=/usr/local/share/gocd-agent/agent.aot
# shellcheck disable=SC2016  # for the shell inside
# one NAME OPTION…: a start; its figures go to files of its name. $before runs in the container ahead of the supervisor.
one() {
    local name=$1 begin id end command=()
    shift
    if [ -n "${before-}" ]; then
        set -- "$@" --entrypoint sh
        command=(-c "$before; exec gocd-supervisor")
    fi
    rm -f "$work/record" "$work/port"
    "$stub" --listen 0.0.0.0:0 --port-file "$work/port" --record "$work/record" --files "$files" \
        --job 'docker version >/dev/null && echo answer $(date +%s%3N)' >/dev/null &
    server=$!
    until [ -s "$work/port" ]; do sleep 0.01; done
    begin=$(now)
    id=$(docker run -d --label "$label" --privileged -e "GO_SERVER_URL=http://$(host_address):$(<"$work/port")/go" "$@" "$image" "${command[@]}")
    end=$((SECONDS + 60))
    until grep -q '"event":"job_completed"' "$work/record"; do
        [ $SECONDS -lt $end ] || { docker logs "$id" >&2; exit 1; }
        sleep 0.05
    done
    timeline "$id" 'agent JVM start' | grep . >>"$work/$name.exec"
    timeline "$id" connected | grep . >>"$work/$name.connected"
    echo $(($(seen get_cookie) - begin)) >>"$work/$name.known"
    sed -n 's/.*answer \([0-9]\{13\}\).*/\1/p' "$work/record" | head -n 1 | awk -v b="$begin" '{print $1 - b}' >>"$work/$name.answer"
    resident "$id" >>"$work/$name.memory"
    docker rm -fv "$id" >/dev/null
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=''
}

for ((i = 0; i < rounds; i++)); do
    one aot
    one direct -e GOCD_AGENT_AOT=off
    one fetched -e GOCD_AGENT_AOT=off --tmpfs /usr/local/share/gocd-agent
    one bootstrapper -e GOCD_AGENT_LAUNCH=bootstrapper
    one wrapper -e GOCD_AGENT_LAUNCH=wrapper
    before="rm $cache" one missing
    before="truncate -s 1000000 $cache" one truncated
    before="printf XXXX | dd of=$cache bs=1 seek=10000001 conv=notrunc status=none" one damaged
    # The same, and what the kernel still has of the file is dropped.
    before="printf XXXX | dd of=$cache bs=1 seek=10000001 conv=notrunc,fsync status=none; dd if=$cache iflag=nocache count=0 status=none" one cold
    before="echo jar=0 >>$cache.record" one otherjar
done

value() { median <"$work/$1.$2"; }
printf '\n%-46s %10s %10s %10s %10s %10s\n' launch "direct,AOT" direct "not baked" bootstr. wrapper
row() { # TEXT FIGURE UNIT
    printf '%-46s' "$1"
    local name
    for name in aot direct fetched bootstrapper wrapper; do printf ' %7s %-2s' "$(value $name "$2")" "$3"; done
    printf '\n'
}
row "PID 1's exec to agent or bootstrapper JVM's" exec ms
row "docker run to known by the server" known ms
row "docker run to a job's first docker answer" answer ms
row "JVMs resident" memory MB
awk -v a="$(value aot answer)" -v d="$(value direct answer)" -v w="$(value wrapper answer)" \
    'BEGIN {printf "first docker answer: direct with AOT %.2f, without %.2f of the wrapper'"'"'s\n", a / w, d / w}'
printf '\n%-46s %10s %10s %10s %10s %10s\n' "an AOT cache that is" missing truncated damaged "dam., cold" "other jar"
for figure in exec connected; do
    printf '%-46s' "PID 1's exec to $([ $figure = exec ] && echo "the JVM's" || echo 'known by the server')"
    for name in missing truncated damaged cold otherjar; do printf ' %7s %-2s' "$(value $name $figure)" ms; done
    printf '\n'
done
echo "budgets: 50 ms more than with none; exec <= 100 ms when baked, <= 150 ms and the transfer when not"
