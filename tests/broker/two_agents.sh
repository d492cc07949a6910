#!/usr/bin/env bash
# Two agents on one engine do the same things under the same names at once. Neither may see the other's objects, by
# any command or id prefix, and after their clean-up nothing of either may be left.
#
#   two_agents.sh BROKER_MAIN      with DOCKER_HOST naming the engine
set -euo pipefail

broker=${1:?usage: two_agents.sh BROKER_MAIN}
engine=${DOCKER_HOST#unix://}
docker=$(command -v docker)
work=$(mktemp -d)
pids=()
failures=0
image=two-agents-busybox:test

direct() { "$docker" -H "unix://$engine" "$@"; }
as() { local agent=$1; shift; timeout 60 "$docker" -H "unix://$work/$agent.sock" "$@"; }
check() { # NAME ACTUAL EXPECTED
    if [ "$2" = "$3" ]; then echo "ok   $1"; else echo "FAIL $1: got \"$2\", expected \"$3\""; failures=$((failures + 1)); fi
}
refused() { # NAME COMMAND…
    local name=$1
    shift
    if "$@" >"$work/out" 2>&1; then echo "FAIL $name: was allowed"; failures=$((failures + 1)); else echo "ok   $name"; fi
}
stop_brokers() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    pids=()
}
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
    stop_brokers
    for kind in a b; do "$broker" --sweep "$engine" "two-agents-$kind" >>"$work/sweep.log" 2>&1 || cat "$work/sweep.log"; done
    direct rmi -f "$image" >/dev/null
    rm -rf "$work"
}
trap cleanup EXIT

start_broker() { # AGENT
    cat >"$work/$1.json" <<END
{"mode":"dood","host_socket":"$engine","listen_path":"$work/$1.sock","agent_id":"two-agents-$1","incarnation":"$RANDOM$RANDOM",
 "mounts":[{"destination":"$work/workspace","source":"$work/workspace"}]}
END
    "$broker" "$work/$1.json" >"$work/$1.log" 2>&1 & pids+=($!)
    for _ in $(seq 100); do grep -q serving "$work/$1.log" && return; sleep 0.05; done
    cat "$work/$1.log"
    exit 1
}

make_image() {
    mkdir -p "$work/root/bin" "$work/root/tmp"
    cp "$(command -v busybox)" "$work/root/bin/"
    chroot "$work/root" /bin/busybox --install -s /bin
    tar -C "$work/root" -c . | direct import --change 'CMD ["sh"]' - "$image" >/dev/null
    rm -rf "$work/root"
}
make_image
before=$(direct ps -aq | wc -l)/$(direct network ls -q | wc -l)/$(direct volume ls -q | wc -l)/$(direct images -q | wc -l)
mkdir -p "$work/workspace"
start_broker a
start_broker b

# Both have a project "app", named after a directory.
compose_files() { # AGENT
    mkdir -p "$work/workspace/$1/app"
    cat >"$work/workspace/$1/app/docker-compose.yml" <<END
version: "2.4"
services:
  store:
    image: $image
    command: sh -c 'echo $1 >/data/owner; sleep 1000'
    volumes: ["files:/data", "./:/project:ro"]
  front:
    image: $image
    command: sleep 1000
    depends_on: [store]
volumes: {files: {}}
networks: {default: {name: project_network}}
END
}
composed() { # AGENT ARGUMENT…
    local agent=$1
    shift
    (cd "$work/workspace/$agent/app" && DOCKER_HOST=unix://$work/$agent.sock COMPOSE_DOCKER_CLI_BUILD=0 timeout 90 docker-compose "$@")
}

job() { # AGENT: what a compose project of the same directory does
    as "$1" network create app_default
    as "$1" volume create app_data
    as "$1" run -d --name db --network app_default -v app_data:/data -v /anonymous "$image" sh -c "echo $1 >/data/owner; sleep 1000"
    as "$1" run -d --name web --network app_default --link db:database "$image" sleep 1000
    printf 'FROM %s\nRUN echo %s >/owner\nCMD ["cat","/owner"]\n' "$image" "$1" | DOCKER_BUILDKIT=0 as "$1" build -q -t app_web -
    compose_files "$1"
    composed "$1" up -d
}
job a >"$work/job.a" 2>&1 & first=$!
job b >"$work/job.b" 2>&1 & second=$!
wait $first || cat "$work/job.a"
wait $second || cat "$work/job.b"

for agent in a b; do
    other=$([ $agent = a ] && echo b || echo a)
    check "$agent lists its containers" "$(as $agent ps --format '{{.Names}}' | tr -- '-\n' '_ ' | xargs -n1 | sort | xargs)" "app_front_1 app_store_1 db web"
    check "$agent lists its networks" "$(as $agent network ls --filter driver=bridge --format '{{.Name}}' | sort | tr '\n' ' ')" "app_default bridge project_network "
    check "$agent sees its named volume only" "$(as $agent volume ls -q | grep -c app_data)" 1
    check "$agent sees three volumes in all" "$(as $agent volume ls -q | wc -l)" 3
    check "$agent reads its own volume" "$(as $agent exec db cat /data/owner)" $agent
    check "$agent resolves its container by name" "$(as $agent exec web ping -c1 db | grep -c '1 packets received')" 1
    check "$agent's compose project reads its own volume" "$(composed $agent exec -T store cat /data/owner)" $agent
    check "$agent's compose project sees its own files" "$(composed $agent exec -T store ls /project)" docker-compose.yml
    check "$agent's compose project has two containers" "$(composed $agent ps -q | wc -l)" 2
    check "$agent's compose project resolves its service" "$(composed $agent exec -T front ping -c1 store | grep -c '1 packets received')" 1
    check "$agent runs the image that it built" "$(as $agent run --rm app_web)" $agent
    check "$agent finds a container by name filter" "$(as $agent ps -q --filter name='^/db$' | wc -l)" 1
    check "$agent finds a network by anchored name" "$(as $agent network ls -q --filter name='^app_default$' | wc -l)" 1
    check "$agent inspects under the given name" "$(as $agent inspect -f '{{.Name}}' db)" /db
    check "$agent sees its events only" "$(as $agent events --since 10m --until 0s --filter type=container --filter event=create --format '{{.Actor.Attributes.name}}' | grep -c '^db$')" 1

    id=$(as "$other" ps -q --no-trunc --filter name=db)
    for prefix in "$id" "${id:0:12}" "${id:0:6}"; do
        refused "$agent does not inspect ${#prefix} characters of a foreign id" as $agent inspect "$prefix"
        refused "$agent does not exec by ${#prefix} characters of a foreign id" as $agent exec "$prefix" true
    done
    refused "$agent does not remove a foreign container" as $agent rm "$id"
    refused "$agent does not copy from a foreign container" as $agent cp "$id:/etc" "$work/stolen"
    refused "$agent does not join a foreign container" as $agent run --rm --network "container:$id" "$image" true
    refused "$agent does not take a foreign container's volumes" as $agent run --rm --volumes-from "$id" "$image" true
    refused "$agent does not commit a foreign container" as $agent commit "$id" stolen
    network=$(as "$other" network ls -q --no-trunc --filter name=app_default)
    refused "$agent does not inspect a foreign network" as $agent network inspect "$network"
    refused "$agent does not join a foreign network" as $agent run --rm --network "$network" "$image" true
    hidden=$(direct volume ls -q --filter "label=org.gocd.agent.id=two-agents-$other" | grep app_data)
    refused "$agent does not inspect a foreign volume" as $agent volume inspect "$hidden"
    refused "$agent does not move a shared tag" as $agent tag app_web "$image"
    refused "$agent does not remove a shared image" as $agent rmi -f "$image"
    as $agent system prune -af --volumes >/dev/null
done
check "prune by either left the other's containers" "$(direct ps -q --filter label=org.gocd.agent.id | wc -l)" 8
composed a down -v >"$work/down" 2>&1 || cat "$work/down"
check "a's compose down left b's project" "$(composed b ps -q | wc -l)" 2
check "and nothing of its own" "$(as a ps -aq --filter label=com.docker.compose.project=app | wc -l)/$(as a volume ls -q --filter label=com.docker.compose.project=app | wc -l)" 0/0

# A broker that is killed and comes back knows everything again.
stop_brokers
start_broker b
for _ in $(seq 60); do
    [ "$(direct ps -aq --filter label=org.gocd.agent.id=two-agents-b | wc -l)/$(as b network ls -q --filter driver=bridge | wc -l)/$(as b volume ls -q | wc -l)" = 0/1/0 ] && break
    sleep 1
done
check "a new broker of b removed what b's last incarnation left" "$(as b ps -aq | wc -l)" 0
check "and nothing of a" "$(direct ps -q --filter label=org.gocd.agent.id=two-agents-a | wc -l)" 2
stop_brokers
"$broker" --sweep "$engine" two-agents-a
check "nothing is left of either" "$(direct ps -aq | wc -l)/$(direct network ls -q | wc -l)/$(direct volume ls -q | wc -l)/$(direct images -q | wc -l)" "$before"
exit $((failures > 0))
