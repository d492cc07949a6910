#!/usr/bin/env bash
# What clients ask about the engine as a whole, and events.
set -uo pipefail
# shellcheck source=tests/broker/clients/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

step docker version --format '{{.Server.Version}} {{.Server.APIVersion}} {{.Server.Os}}/{{.Server.Arch}} {{.Client.APIVersion}}'
step docker info --format '{{.ServerVersion}} {{.OSType}} {{.Architecture}} {{.CgroupDriver}} {{.Driver}} {{.DefaultRuntime}} {{.Swarm.LocalNodeState}}'
step docker system info --format '{{.IndexServerAddress}}'
# The engine counts in whole seconds.
sleep 1.1
since=$(date +%s)
quiet docker network create net
quiet docker volume create vol
quiet docker run --rm --name watched --network net -v vol:/w --label color=red "$IMAGE" true
quiet docker network rm net
quiet docker volume rm vol
sleep 1.1
until=$(date +%s)
events() { docker events --since "$since" --until "$until" "$@"; }
sorted events --filter type=container --format '{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.color}} {{.Actor.Attributes.exitCode}}'
sorted events --filter type=network --format '{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}'
sorted events --filter type=volume --format '{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.driver}}'
sorted events --filter container=watched --format '{{.Type}} {{.Action}}'
sorted events --filter event=die --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'
sorted events --filter label=color=red --format '{{.Action}}'
follow() {
    timeout 60 "$CLI" events --filter type=container --filter event=start --format '{{.Actor.Attributes.name}}' >followed &
    local reader=$!
    sleep 1
    docker run --rm --name announced "$IMAGE" true
    for _ in $(seq 50); do [ -s followed ] && break; sleep 0.1; done
    kill $reader
    wait $reader 2>/dev/null
    cat followed
}
step follow
quiet docker run -d --name sized "$IMAGE" sh -c 'head -c 1000000 /dev/zero >/file; sleep 1000'
sized() { docker system df -v --format '{{json .Containers}}' | grep -o '"Names":"sized"'; }
step sized
step docker ps -s --filter name=sized --format '{{.Names}}'
quiet docker rm -f sized
step docker plugin ls
step docker node ls
step docker service ls
step docker search --limit 1 no-such-image-anywhere
quiet docker system prune -f
