#!/usr/bin/env bash
# shellcheck disable=SC2016 # variables of the shells in containers
# Containers: their whole life, streams in every form, files both ways.
set -uo pipefail
# shellcheck source=tests/broker/clients/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

step docker run --rm "$IMAGE" echo hello
step docker run --rm "$IMAGE" sh -c 'echo out; sleep 0.5; echo err >&2; exit 7'
step docker run --rm -w /tmp -e A=b --hostname box --user 5:6 "$IMAGE" sh -c 'pwd; echo $A; hostname; id'
input() { printf 'one\ntwo\n' | docker run --rm -i "$IMAGE" "$@"; }
step input cat
step input wc -c
long_input() { head -c 3000000 /dev/zero | docker run --rm -i "$IMAGE" wc -c; }
step long_input
long_output() { docker run --rm "$IMAGE" sh -c 'head -c 5000000 /dev/zero' | wc -c; }
step long_output
step on_terminal "$CLI" run --rm -it "$IMAGE" 'sh -c "test -t 0 && test -t 1 && echo a terminal"'
step typing 'echo $((6*7))\nexit 3\n' "$CLI" run --rm -it --name shell "$IMAGE" sh
step docker run --rm "$IMAGE" no-such-command
step docker run --rm no-such-image:never true
step docker run --rm --no-such-option "$IMAGE" true

quiet docker run -d --name web --label color=red --label size=1 -p 127.0.0.1::80 -v "$WORK:/work" -v /anonymous \
    --tmpfs /t:size=1m --health-cmd 'test -e /work/healthy' --health-interval 1s "$IMAGE" \
    sh -c 'trap "echo bye; exit 5" TERM; i=0; while :; do echo line $i; i=$((i+1)); sleep 1; done'
step docker ps --format '{{.Names}} {{.Image}} {{.Label "color"}} {{.Label "size"}} {{.Ports}} {{.Command}}'
step docker ps --filter name=web --filter label=color=red --filter status=running --format '{{.Names}}'
step docker ps --filter label=color=blue -q
step docker ps --filter "ancestor=$IMAGE" --format '{{.Names}}'
step docker ps --filter volume=/anonymous --format '{{.Names}}'
step docker ps --filter health=starting --filter network=bridge --format '{{.Names}}'
step docker ps --filter no-such=filter
step docker inspect web --format '{{.Name}} {{.State.Status}} {{.Path}} {{json .Args}} {{json .Config.Cmd}} {{.Config.Image}}'
sorted docker inspect web --format '{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}}{{println}}{{end}}'
step docker inspect web --format '{{json .HostConfig.Binds}} {{json .HostConfig.PortBindings}} {{json .HostConfig.Tmpfs}} {{.HostConfig.NetworkMode}}'
step docker inspect web --format '{{json .Config.Labels}} {{json .NetworkSettings.Networks}}'
step docker inspect no-such-thing
touch healthy
healthy() { for _ in $(seq 50); do docker inspect -f '{{.State.Health.Status}}' web | grep -qx healthy && break; sleep 0.2; done; docker inspect -f '{{.State.Health.Status}}' web; }
step healthy

step docker exec web echo from exec
step docker exec -w /work -e X=y -u 1:1 web sh -c 'pwd; echo $X; id'
exec_input() { printf 'abc' | docker exec -i web cat; }
step exec_input
step docker exec web sh -c 'exit 9'
step docker exec web no-such-command
step on_terminal "$CLI" exec -it web 'sh -c "test -t 1 && echo a terminal"'
step typing 'echo $((5*5))\nexit\n' "$CLI" exec -it web sh
step docker exec -d web touch /work/detached
detached() { for _ in $(seq 50); do [ -e detached ] && break; sleep 0.1; done; ls detached; }
step detached

step docker logs --tail 0 web
first_lines() { docker logs web 2>&1 | sed -n 1,2p; }
step first_lines
follow() { head -n 3 < <(timeout 60 "$CLI" logs -f --since 0 web); }
step follow
step docker attach --no-stdin --sig-proxy=false --detach-keys ctrl-x no-such-container
attached() { head -n 1 < <(timeout 5 "$CLI" attach --no-stdin --sig-proxy=false web) | grep -c '^line'; }
step attached

echo content >file
mkdir -p tree/sub
echo deep >tree/sub/leaf
ln -sfn leaf tree/sub/link
step docker cp file web:/tmp/copied
step docker exec web cat /tmp/copied
step docker cp tree web:/tmp/
step docker exec web sh -c 'find /tmp/tree | sort; readlink /tmp/tree/sub/link'
step docker cp web:/tmp/tree back
step cat back/sub/leaf
from_tar() { tar -c tree | docker cp - web:/tmp/untarred; }
step docker exec web mkdir /tmp/untarred
step from_tar
to_tar() { docker cp web:/tmp/tree - | tar -t | sort; }
step to_tar
step docker cp web:/no/such/file .
step docker cp file web:/no/such/folder/x

step docker port web 80/tcp
top() { docker top web -o args | sort; }
step top
sorted docker diff web
statistics() { docker stats --no-stream --format '{{.Name}} {{.Container}}' web; }
step statistics
step docker update --memory 64m --memory-swap 64m web
step docker inspect web --format '{{.HostConfig.Memory}}'
step docker pause web
step docker inspect web --format '{{.State.Status}}'
step docker unpause web
step docker rename web server
step docker ps --format '{{.Names}}'
step docker rename server "web"
step docker run --name web "$IMAGE" true
step docker kill --signal USR1 no-such-container
step docker stop -t 5 web
step docker wait web
step docker start web
step docker restart -t 1 web
step docker kill web
step docker ps -a --filter exited=137 --format '{{.Names}} {{.State}}'
step docker start --attach no-such-container
step docker rm web
step docker rm -f -v web
step docker ps -aq

quiet docker create --name made -i "$IMAGE" sh -c 'cat; echo done'
attached_start() { echo typed | docker start -ai made; }
step attached_start
exported() { docker export made | tar -t | grep -x 'bin/busybox'; }
step exported
step docker commit -c 'CMD ["echo","committed"]' -m message -a author made clients-committed:1
step docker run --rm clients-committed:1
step docker rmi clients-committed:1
step docker container prune -f
wait_next() { docker run -d --name sleeper "$IMAGE" sh -c 'sleep 1; exit 4' && docker wait sleeper; }
step wait_next
step docker container rm sleeper
removed() { docker run -d --rm --name short "$IMAGE" sleep 0.2; for _ in $(seq 50); do docker ps -aq | grep -q . || break; sleep 0.1; done; docker ps -aq; }
step removed
step docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --memory 32m --cpus 0.5 --pids-limit 50 \
    --ulimit nofile=100:100 --shm-size 1m --init --add-host a:1.2.3.4 --dns 9.9.9.9 --stop-signal INT \
    --sysctl net.core.somaxconn=100 --group-add 7 "$IMAGE" \
    sh -c 'ulimit -n; grep 1.2.3.4 /etc/hosts; grep 9.9.9.9 /etc/resolv.conf; cat /proc/sys/net/core/somaxconn; id -G; touch /x 2>/dev/null || echo read-only'
