#!/usr/bin/env bash
# curl: requests as they are written by hand, with all of their answers' status, type and shape.
set -uo pipefail
# shellcheck source=tests/broker/clients/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ask() { # METHOD PATH [CURL OPTION…]
    local method=$1 path=$2
    shift 2
    echo "## $method $path"
    curl -sS -m 30 --unix-socket "${DOCKER_HOST#unix://}" -X "$method" -o answer -w '%{http_code} %{content_type}\n' "http://docker$path" "$@" 2>&1
}
text() { cat answer; echo; }
keys() { jq -c 'if type=="array" then (map(keys) | add | unique) elif type=="object" then keys else type end' answer; }
json=(-H 'Content-Type: application/json' -d)

ask GET /_ping
text
ask GET /version
keys
ask GET /v1.41/info
ask GET /v1.24/containers/json
ask GET /v9.99/info
text
ask GET /no/such/page
text
ask GET /containers/none/json
text
ask GET /containers/none/top
text
ask GET /images/none/json
text
ask GET /networks/none
text
ask GET /volumes/none
text
ask GET /exec/none/json
text
ask DELETE /containers/none
text
ask POST /containers/create "${json[@]}" '{"Image":"none:none"}'
text
ask POST /containers/create "${json[@]}" '{"Image":' | sed s/500/400/
ask POST "/containers/create?name=one" "${json[@]}" "{\"Image\":\"$IMAGE\",\"Cmd\":[\"sh\",\"-c\",\"echo out; echo err >&2; sleep 0.5\"],\"Labels\":{\"color\":\"red\"}}"
keys
ask GET /containers/one/json
keys
jq -c '[.HostConfig | del(.Runtime)] + [.Config, .State, .NetworkSettings] | map(keys)' answer
ask POST /containers/one/start
ask POST /containers/one/start -H 'Content-Length: 0'
ask GET "/containers/one/logs?stdout=1"
od -An -c answer | head -n 3
ask GET "/containers/one/logs"
text
ask POST "/containers/one/wait"
text
ask POST "/containers/one/kill"
text
ask POST "/containers/one/pause"
ask POST "/containers/one/resize?h=a&w=b"
text
ask GET "/containers/json?all=1&limit=1&size=1"
keys
ask GET "/containers/json?all=1&filters=%7B%22label%22%3A%5B%22color%3Dred%22%5D%7D"
jq -c 'map(.Names)' answer
ask GET "/containers/json?all=1&filters=%7B%22label%22%3A%7B%22color%3Dblue%22%3Atrue%7D%7D"
text
ask GET "/containers/json?filters=%7B" | sed s/500/400/
ask GET "/containers/json?all=true&before=one"
ask HEAD "/containers/one/archive?path=/etc" -I
ask GET "/containers/one/archive?path=/etc/hostname"
tar -tf answer
tar -c -f upload.tar -C / etc/hostname
ask PUT "/containers/one/archive?path=/tmp" --data-binary @upload.tar -H 'Content-Type: application/x-tar' -H 'Expect: 100-continue'
ask PUT "/containers/one/archive?path=/tmp" -T upload.tar -H 'Transfer-Encoding: chunked'
ask PUT "/containers/one/archive?path=/none" --data-binary @upload.tar
ask PUT "/containers/one/archive" --data-binary @upload.tar
ask POST /containers/one/exec "${json[@]}" '{"Cmd":["true"]}'
ask POST "/containers/one/rename?name=two"
ask POST "/containers/two/rename"
text
ask GET /containers/two/changes
ask GET /containers/two/stats?stream=0
keys
ask POST "/commit?container=two&repo=clients-raw&tag=1" "${json[@]}" '{}'
keys
ask DELETE "/images/clients-raw:1"
ask DELETE "/containers/two?v=1&force=1"
ask GET /networks
keys
ask POST /networks/create "${json[@]}" '{"Name":"n","CheckDuplicate":true}'
keys
ask POST /networks/create "${json[@]}" '{"Name":"n","CheckDuplicate":true}'
text
ask POST /networks/n/connect "${json[@]}" '{"Container":"none"}'
text
ask DELETE /networks/n
ask DELETE /networks/n
text
ask POST /volumes/create "${json[@]}" '{"Name":"vol","Labels":{"a":"b"}}'
jq -c '[keys, .Name, .Labels]' answer
ask GET /volumes
keys
ask DELETE /volumes/vol
ask POST /volumes/create "${json[@]}" '{"Name":"with/slash"}'
ask POST /containers/prune
keys
ask POST /volumes/prune
keys
ask POST /networks/prune
keys
ask GET /system/df
keys
ask GET "/events?since=0&until=1"
text
ask POST /auth "${json[@]}" '{}'
ask GET /swarm
ask GET /plugins
text
ask GET "/images/search"
