#!/usr/bin/env bash
# shellcheck disable=SC2016 # variables of the shells in containers
# Networks and volumes.
set -uo pipefail
# shellcheck source=tests/broker/clients/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

quiet docker network create --label color=red --opt com.docker.network.driver.mtu=1400 front
quiet docker network create --internal --subnet 172.30.45.0/24 --gateway 172.30.45.1 back
step docker network create front
sorted docker network ls --filter type=custom --format '{{.Name}} {{.Driver}} {{.Scope}} {{.Internal}}'
step docker network ls --filter label=color=red --format '{{.Name}}'
step docker network ls --filter name=fro --format '{{.Name}} {{.Labels}}'
step docker network inspect front --format '{{.Name}} {{.Driver}} {{json .Options}} {{json .Labels}} {{.Internal}}'
step docker network inspect back --format '{{json .IPAM}} {{.Internal}}'
step docker network inspect bridge --format '{{.Name}} {{.Driver}} {{.Scope}}'
step docker network inspect no-such-network
quiet docker run -d --name db --network front --network-alias store "$IMAGE" sleep 1000
quiet docker run -d --name web --network front --link db:database -p 127.0.0.1::80 "$IMAGE" sleep 1000
for name in db store database; do step docker exec web sh -c "ping -c1 $name | grep -o '1 packets received'"; done
step docker network connect --alias behind back db
step docker network connect back web
step docker network connect back web
step docker exec web sh -c "ping -c1 behind | grep -o '1 packets received'"
sorted docker network inspect back --format '{{range .Containers}}{{println .Name}}{{end}}'
step docker inspect db --format '{{range $name, $net := .NetworkSettings.Networks}}{{$name}} {{index $net.Aliases 0}}{{println}}{{end}}'
step docker inspect web --format '{{json .HostConfig.Links}} {{json .NetworkSettings.Networks.front.Links}}'
sorted docker ps --filter network=back --format '{{.Names}}'
step docker network disconnect back web
step docker network disconnect back web
step docker network rm front
step docker run --rm --network container:db "$IMAGE" hostname
step docker run --rm --network none "$IMAGE" sh -c 'ls /sys/class/net'
# Refused at creation and not at start, about which CLIs have different things to say.
no_network() { docker run --rm --network no-such-network "$IMAGE" true 2>&1 | grep -o "network no-such-network not found"; }
step no_network
quiet docker rm -f db web
step docker network rm front back
quiet docker network create pruned
step docker network prune -f
step docker network rm pruned

step docker volume create --label color=red data
step docker volume create data
sorted docker volume ls --format '{{.Driver}} {{.Name}} {{.Labels}}' --filter label=color=red
step docker volume inspect data --format '{{.Name}} {{.Driver}} {{json .Labels}} {{.Scope}} {{json .Options}}'
step docker volume inspect no-such-volume
step docker run --rm -v data:/data -v made:/made "$IMAGE" sh -c 'echo kept >/data/file; echo also >/made/file'
step docker run --rm --mount source=data,target=/d,readonly --mount type=volume,source=made,target=/m "$IMAGE" sh -c 'cat /d/file /m/file; touch /d/x 2>/dev/null || echo read-only'
step docker run --rm --mount "type=bind,source=$WORK,target=/w" --mount type=tmpfs,target=/t,tmpfs-size=1m "$IMAGE" sh -c 'touch /w/from-inside; grep -c " /t " /proc/mounts'
ls from-inside
step docker run --rm --mount "type=bind,source=$WORK/none,target=/w" "$IMAGE" true
quiet docker create --name user -v data:/data "$IMAGE" cat /data/file
step docker inspect user --format '{{json .HostConfig.Binds}} {{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}'
step docker ps -a --filter volume=data --format '{{.Names}} {{.Mounts}}'
step docker run --rm --volumes-from user "$IMAGE" cat /data/file
step docker volume rm data
step docker rm user
step docker volume rm data made
step docker volume rm data
quiet docker volume create pruned
quiet docker volume prune -f --filter label!=none
sorted docker volume ls -q --filter name=pruned
