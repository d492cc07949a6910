# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
# Shared by images/build and images/up: messages, exit codes, the choice of engine and docker CLI, the base image.

readonly kUsage=64 kBadInput=65 kMissingInput=66 kNoEngine=69 kFailed=1

die() { # STATUS MESSAGE
    local status=$1
    shift
    echo "$(basename "$0"): $*" >&2
    exit "$status"
}

note() { printf '%s\n' "$*" >&2; }

on_terminal() { [ -t 2 ] && [ -z "${CI-}" ]; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=$root/.cache

# ensure COMMAND PACKAGE: installs a missing tool.
ensure() {
    command -v "$1" >/dev/null && return
    [ "$(id -u)" = 0 ] || die $kMissingInput "$1 is not installed; install the package $2, or run this as root"
    note "installing $2"
    "$root/images/packages/install" -- "$2" >/dev/null 2>&1 || die $kFailed "apt-get could not install $2 (for $1)"
}

engine_answers() { timeout 20 "$1" version --format '{{.Server.Version}}' >/dev/null 2>&1; }

use_engine() {
    local cli
    cli=$(type -P docker || true)
    if [ -n "$cli" ] && engine_answers "$cli"; then return; fi
    if [ -n "${DOCKER_HOST-}" ]; then die $kNoEngine "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST"; fi
    [ "$(id -u)" = 0 ] || die $kNoEngine "no Docker engine answers and only root can start one: start Docker, or run this with sudo"
    local before
    before=$("$root/tests/support/engine" env "$cache/engine")
    [ -n "$before" ] || note "no Docker engine answers: starting a private one in $cache/engine"
    "$root/tests/support/engine" start --private "$cache/engine" >/dev/null || die $kNoEngine "the private engine did not start"
    # Only what images/ started may images/up --down end.
    [ -n "$before" ] || touch "$cache/engine/started-by-images"
    eval "$("$root/tests/support/engine" env "$cache/engine")"
    private_engine=yes
}

# Not every docker CLI can build with BuildKit: one since 23 needs the buildx plugin, an older one has it built in.
# Sets docker_cli and build_command.
choose_cli() {
    local cli major
    while read -r cli; do
        if "$cli" buildx version >/dev/null 2>&1; then
            docker_cli=$cli build_command=("$cli" --context default buildx build --builder default)
            [ -z "${DOCKER_HOST-}" ] || build_command=("$cli" buildx build --builder default)
            return
        fi
        major=$("$cli" --version | sed -n 's/^Docker version \([0-9]*\).*/\1/p')
        if [ "${major:-99}" -ge 18 ] && [ "${major:-99}" -lt 23 ]; then
            docker_cli=$cli build_command=(env DOCKER_BUILDKIT=1 "$cli" build)
            return
        fi
    done < <(type -aP docker)
    [ "${1-}" != again ] || die $kNoEngine "no docker CLI here can build with BuildKit: install docker-buildx (Debian, Ubuntu) or docker-buildx-plugin"
    ensure docker docker.io
    "$root/images/packages/install" -- docker-buildx >/dev/null 2>&1 || true
    choose_cli again
}

# The base image: one the engine has, else pulled, else (Debian only) made from a mirror.
use_base() { # IMAGE
    "$docker_cli" image inspect "$1" >/dev/null 2>&1 && return
    if [ "$offline" = no ] && timeout 600 "$docker_cli" pull -q "$1" >/dev/null 2>&1; then return; fi
    make_base "$1"
}

make_base() { # IMAGE, such as debian:trixie-slim
    local suite tar=$cache/base/${1//[:\/]/-}.tar
    case $1 in
        debian:*-slim) suite=${1#debian:} suite=${suite%-slim} ;;
        debian:*) suite=${1#debian:} ;;
        *) die $kMissingInput "the base image $1 is not here and cannot be pulled (only Debian's can be made from a mirror)" ;;
    esac
    if [ ! -e "$tar" ]; then
        [ "$(id -u)" = 0 ] || die $kMissingInput "the base image $1 cannot be pulled; making it needs root: run this with sudo"
        ensure mmdebstrap mmdebstrap
        note "$1 cannot be pulled: making it with mmdebstrap"
        mkdir -p "$cache/base"
        local mirrors=()
        [ -z "$mirror" ] || mirrors=("$mirror")
        # shellcheck disable=SC2016
        mmdebstrap --quiet --format=tar --variant=minbase --include=ca-certificates \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
            --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
            --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
            --customize-hook='rm -rf "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/*' \
            "$suite" "$tar.new" "${mirrors[@]}" </dev/null >"$cache/base/log" 2>&1 ||
            { rm -f "$tar.new"; die $kFailed "mmdebstrap could not make $1: $(grep -m1 -E '^E:|error' "$cache/base/log" || tail -1 "$cache/base/log")"; }
        mv "$tar.new" "$tar"
    fi
    "$docker_cli" import --change 'CMD ["bash"]' "$tar" "$1" >/dev/null 2>"$cache/base/log" ||
        die $kFailed "docker import of $tar failed: $(tail -1 "$cache/base/log")"
}
