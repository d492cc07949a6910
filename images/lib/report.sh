# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
# After a build: does the image do what its users start it for, how large is it and why, what is in it.

verify_failed() { # CONTAINER MESSAGE
    "$docker_cli" logs --tail 10 "$1" >&2 || true
    die $kFailed "the image does not work: $2"
}

# Starts the image as its users do, with a sleeping program in the agent's place; nothing of it stays.
verify_image() { # IMAGE VARIANT
    local name=gocd-verify-$$ options=() _
    verified_container=$name
    case $2 in
        dind) options=(--privileged) ;;
        agent-docker) options=(-v "$(engine_socket):/var/run/docker.sock") ;;
    esac
    "$docker_cli" run -d --name "$name" "${options[@]}" "$1" -- sleep 600 >/dev/null || die $kFailed "the image does not start"
    for _ in $(seq 150); do
        "$docker_cli" exec "$name" gocd-supervisor health >/dev/null 2>&1 && break
        [ "$("$docker_cli" inspect -f '{{.State.Running}}' "$name")" = true ] || verify_failed "$name" "it ended with status $("$docker_cli" inspect -f '{{.State.ExitCode}}' "$name")"
        sleep 0.2
    done
    verify_inside "$name" "$2"
    "$docker_cli" stop -t 10 "$name" >/dev/null
    [ "$("$docker_cli" inspect -f '{{.State.ExitCode}}' "$name")" = 0 ] || verify_failed "$name" "docker stop ended it with status $("$docker_cli" inspect -f '{{.State.ExitCode}}' "$name")"
    "$docker_cli" rm -f -v "$name" >/dev/null
    verified_container=''
}

engine_socket() {
    case ${DOCKER_HOST-unix:///var/run/docker.sock} in
        unix://*) echo "${DOCKER_HOST-unix:///var/run/docker.sock}" | sed 's#^unix://##' ;;
        *) echo /var/run/docker.sock ;;
    esac
}

inside() { # CONTAINER MESSAGE SHELL_LINE: a check that has to hold
    local said
    said=$("$docker_cli" exec -u go "$1" sh -c "$3" 2>&1) || verify_failed "$1" "$2${said:+: ${said##*$'\n'}}"
}

verify_inside() { # CONTAINER VARIANT
    inside "$1" "gocd-supervisor health says no" 'gocd-supervisor health'
    inside "$1" "PID 1 is not gocd-supervisor" 'grep -qx gocd-supervisor /proc/1/comm'
    inside "$1" "the agent's Java does not run" '"$GO_JAVA_HOME/bin/java" -version'
    inside "$1" "GoCD's agent is not in it" 'test -s /go-agent/lib/agent-bootstrapper.jar'
    case $2 in
        dind)
            # An image made of the container's own files: a registry is not needed.
            # shellcheck disable=SC2016
            inside "$1" "docker run inside fails" \
                'tar -ch /usr/bin/true $(ldd /usr/bin/true | grep -o "/[^ ]*") | docker import - verify:local && docker run --rm verify:local /usr/bin/true'
            ;;
        agent-docker)
            inside "$1" "there is an engine in it" '! command -v dockerd'
            inside "$1" "the mounted Docker socket does not answer" 'DOCKER_HOST=unix:///run/gocd-supervisor/docker.sock docker version'
            ;;
    esac
}

# Size by layer, with the difference to the last build of the same name.
report_size() { # IMAGE
    local sizes=$cache/sizes/${1//[:\/]/-} total before
    mkdir -p "$cache/sizes"
    total=$("$docker_cli" image inspect --format '{{.Size}}' "$1")
    before=$(cat "$sizes" 2>/dev/null || echo "$total")
    "$docker_cli" history --no-trunc --human=false --format '{{.Size}}\t{{.CreatedBy}}' "$1" |
        awk -F '\t' '$1 > 100000 { gsub(/--mount=[^ ]* */, "", $2); sub(/^RUN (\|[0-9]+ ([A-Z_]+=[^ ]* )*)?(\/bin\/sh -c )?/, "", $2)
            printf "  %6.1f MB  %s\n", $1 / 1e6, substr($2, 1, 90) }' >&2
    printf '%s: %s.%s MB (%+d kB) in %s s\n' "$1" $((total / 1000000)) $((total / 100000 % 10)) $(((total - before) / 1000)) "$SECONDS"
    echo "$total" >"$sizes"
}

# What is in it: SPDX 2.3 from the image's package database plus what is not a package, and the same as plain lines.
list_contents() { # IMAGE SPDX_FILE
    ensure jq jq
    mkdir -p "$(dirname "$2")"
    "$docker_cli" run --rm --network none --entrypoint sh "$1" -c '. /etc/os-release; echo "$ID"; cat /go-agent/VERSION
        dpkg-query -W -f "\${db:Status-Abbrev}\t\${Package}\t\${Version}\t\${Architecture}\t\${source:Package}\n"' |
        jq -R -s --arg image "$1" --arg id "$("$docker_cli" image inspect --format '{{.Id}}' "$1")" --arg version "$(cat "$root/VERSION")" \
            --arg created "$(date -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" +%Y-%m-%dT%H:%M:%SZ)" -f "$root/images/lib/sbom.jq" >"$context/sbom" ||
        die $kFailed "the packages of $1 could not be listed"
    cp "$context/sbom" "$2"
    jq -r '.packages[] | select(.SPDXID != "SPDXRef-image") | "\(.name) \(.versionInfo)"' "$2" >"${2%.json}.txt"
    note "  $(wc -l <"${2%.json}.txt") packages: $2, ${2%.json}.txt"
}
