#!/usr/bin/env bash
# shellcheck disable=SC2016 # variables of the shells in containers
# docker compose, first (COMPOSE=docker-compose) and second edition (COMPOSE="docker compose").
set -uo pipefail
# shellcheck source=tests/broker/clients/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
export COMPOSE_ANSI=never COMPOSE_PROGRESS=plain COMPOSE_MENU=false

mkdir -p app/web/html app/conf
cd app || exit 1
echo '<h1>hello</h1>' >web/html/index.html
echo configured >conf/file
printf 'FROM %s\nCOPY html /html\nCMD ["httpd","-f","-h","/html"]\n' "$IMAGE" >web/Dockerfile
cat >compose.yaml <<END
services:
  db:
    image: $IMAGE
    command: sh -c 'trap exit TERM; sleep 1; echo ready >/data/ready; while :; do sleep 1; done'
    volumes: ["data:/data", "./conf:/conf:ro"]
    environment: {WHO: someone}
    healthcheck: {test: ["CMD", "test", "-e", "/data/ready"], interval: 1s, retries: 20}
    networks: {back: {aliases: [store]}}
  web:
    build: web
    image: clients-compose-web
    depends_on: {db: {condition: service_healthy}}
    networks: [back, default]
    ports: ["127.0.0.1::80"]
    extra_hosts: ["other:1.2.3.4"]
    stop_grace_period: 1s
    restart: "no"
  task:
    image: $IMAGE
    command: sh -c 'echo one-off of \$\$WHO'
    environment: {WHO: task}
    profiles: [task]
volumes:
  data: {labels: {color: red}}
networks:
  back: {}
END
# shellcheck disable=SC2086 # two words
compose() { timeout 90 ${COMPOSE:-docker-compose} -f compose.yaml "$@"; }
ours() { "$@" --filter label=com.docker.compose.project=app; }

quiet compose build
quiet compose up -d
sorted ours docker ps --format '{{.Names}} {{.Image}}'
step compose ps -q
sorted ours docker network ls --format '{{.Name}}'
sorted ours docker volume ls --format '{{.Name}}'
step compose exec -T db cat /conf/file /data/ready
step compose exec -T web wget -q -O - http://localhost/
step compose exec -T web sh -c 'for i in store db; do ping -c1 $i | grep -o "1 packets received"; done; grep other /etc/hosts'
step compose exec -T db sh -c 'exit 6'
input() { echo typed | compose exec -T db cat; }
step input
ran() { compose run --rm task 2>/dev/null </dev/null; }
step ran
override() { compose run --rm -T task echo overridden 2>/dev/null </dev/null; }
step override
logged() { compose logs --no-color db | wc -l; }
step logged
# Nothing has changed, so nothing may be made anew.
before=$(compose ps -q | sort)
quiet compose up -d
unchanged() { [ "$(compose ps -q | sort)" = "$before" ] && echo unchanged; }
step unchanged
# Something has.
sed -i 's/WHO: someone/WHO: another/' compose.yaml
quiet compose up -d
step compose exec -T db sh -c 'echo $WHO'
port() { compose port web 80 | sed 's/:.*//'; }
step port
quiet compose restart -t 1 web
quiet compose stop -t 1
sorted ours docker ps -a --format '{{.Names}} {{.State}}'
quiet compose start
quiet compose down -v -t 1
sorted ours docker ps -a --format '{{.Names}} {{.State}}'
sorted ours docker network ls --format '{{.Name}}'
sorted ours docker volume ls --format '{{.Name}}'
quiet docker rmi clients-compose-web
