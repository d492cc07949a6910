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

# In the background: a signal to this script is then seen at once, not when the command has ended; who traps it ends the child.
run() { # COMMAND…
    local status=0
    "$@" &
    child=$!
    wait "$child" || status=$?
    child=''
    return $status
}

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

# The cause in apt's output: its first complaint, without the remarks of those who called it.
apt_cause() { # LOG
    local line
    line=$(grep -a -m1 '^E: ' "$1" || grep -a -m1 -i 'error' "$1" || tail -1 "$1")
    case $line in *'is expired'*) line="$line (a mirror that is a snapshot of the past: --snapshot)" ;; esac
    echo "${line#E: }"
}

engine_answers() { timeout 20 "$1" version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# The CLI's own words, in brackets.
why_no_answer() { # CLI
    local said
    said=$([ -z "$1" ] || timeout 20 "$1" version --format '{{.Server.Version}}' 2>&1 >/dev/null | tail -1) || true
    echo "${said:+ ($said)}"
}

use_engine() {
    local cli
    cli=$(type -P docker || true)
    if [ -n "$cli" ] && engine_answers "$cli"; then
        refuse_old_engine "$cli"
        return
    fi
    if [ -n "${DOCKER_HOST-}" ]; then die $kNoEngine "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST$(why_no_answer "$cli")"; fi
    [ "$(id -u)" = 0 ] ||
        die $kNoEngine "no Docker engine answers and only root can start one: start Docker, or run this with sudo$(why_no_answer "$cli")"
    local before
    before=$("$root/tests/support/engine" env "$cache/engine")
    [ -n "$before" ] || note "no Docker engine answers: starting a private one in $cache/engine"
    "$root/tests/support/engine" start --private "$cache/engine" >/dev/null || die $kNoEngine "the private engine did not start"
    # Only what images/ started may images/up --down end.
    [ -n "$before" ] || touch "$cache/engine/started-by-images"
    eval "$("$root/tests/support/engine" env "$cache/engine")"
    private_engine=yes
}

# BuildKit is in engines since 18.09, whose API is 1.39.
refuse_old_engine() { # CLI
    local api
    api=$("$1" version --format '{{.Server.APIVersion}}' 2>/dev/null) || return 0
    [[ $api =~ ^1\.[0-9]+$ ]] || return 0
    [ "${api#1.}" -ge 39 ] || die $kNoEngine "this Docker engine has no BuildKit (its API is $api): 18.09 or later is needed"
}

# Not every docker CLI can build with BuildKit: one since 23 needs the buildx plugin, an older one has it built in.
# Sets docker_cli and build_command.
choose_cli() {
    local cli major name
    while read -r cli; do
        if "$cli" buildx version >/dev/null 2>&1; then
            # The builder of the engine that this CLI talks to has the name of the CLI's context.
            name=$("$cli" context show 2>/dev/null || "$cli" context inspect -f '{{.Name}}' 2>/dev/null || echo default)
            docker_cli=$cli build_command=("$cli" buildx build --builder "$name")
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

# The base image: one the engine has, else pulled, else made from a mirror.
use_base() { # IMAGE
    local wanted options=()
    [ -z "${platform-}" ] || options=(--platform "linux/$platform")
    wanted=${platform:-$("$docker_cli" version --format '{{.Server.Arch}}')}
    [ "$("$docker_cli" image inspect -f '{{.Architecture}}' "$1" 2>/dev/null)" != "$wanted" ] || return 0
    if [ "$offline" = no ] && run timeout 600 "$docker_cli" pull -q "${options[@]}" "$1" >/dev/null 2>"$context/pull.log"; then return; fi
    # One at a time: who waited finds it made.
    mkdir -p "$cache/base"
    exec 9<"$cache/base"
    flock 9
    make_base "$1" "$wanted"
    exec 9<&-
}

why_not_pulled() { [ ! -s "$context/pull.log" ] || tail -1 "$context/pull.log" | sed 's/^Error response from daemon: //; s/^/: /'; }

# Names of Ubuntu's releases, as its mirrors have them.
ubuntu_suite() { # TAG
    case $1 in
        24.04) echo noble ;;
        25.04) echo plucky ;;
        25.10) echo questing ;;
        *) echo "$1" ;;
    esac
}

make_base() { # IMAGE, such as debian:trixie-slim; ARCHITECTURE
    local suite options=() sources=() import=() tar=$cache/base/${1//[:\/]/-}${platform:+-$platform}.tar
    case $1 in
        debian:*) suite=${1#debian:} suite=${suite%-slim} sources=("$mirror") ;;
        ubuntu:*) suite=$(ubuntu_suite "${1#ubuntu:}") ;;
        *) die $kMissingInput "the base image $1 is not here and cannot be pulled$(why_not_pulled) (only Debian's and Ubuntu's can be made from a mirror)" ;;
    esac
    if [ ! -e "$tar" ]; then run_mmdebstrap "$1" "$suite" "$2" "$tar"; fi
    [ -z "${platform-}" ] || import=(--platform "linux/$2")
    "$docker_cli" import "${import[@]}" --change 'CMD ["bash"]' "$tar" "$1" >/dev/null 2>"$tar.log" ||
        die $kFailed "docker import of $tar failed: $(tail -1 "$tar.log")"
}

# The distribution's own, as a base has them: a mirror is that of a build. With a mirror of Ubuntu, its.
own_sources() { # IMAGE SUITE ARCHITECTURE [MIRROR]
    local part url=${4-}
    case $1 in
        ubuntu:*)
            [ "$3" = amd64 ] || url=${url:-http://ports.ubuntu.com/ubuntu-ports}
            url=${url:-http://archive.ubuntu.com/ubuntu}
            for part in "" -updates -security; do echo "deb $url $2$part main universe"; done
            ;;
        *)
            echo "deb http://deb.debian.org/debian $2 main"
            case $2 in sid | unstable | experimental) return ;; esac
            echo "deb http://deb.debian.org/debian $2-updates main"
            echo "deb http://deb.debian.org/debian-security $2-security main"
            ;;
    esac
}

# Adds to sources and options. Debian's mmdebstrap knows neither a mirror of Ubuntu nor its keys.
ubuntu_sources() { # SUITE ARCHITECTURE
    local keys=/usr/share/keyrings/ubuntu-archive-keyring.gpg
    mapfile -t sources < <(own_sources ubuntu: "$1" "$2" "$mirror")
    [ -e $keys ] || die $kMissingInput "the base image $base cannot be pulled; making it needs Ubuntu's keys: $keys, of its package ubuntu-keyring"
    options+=("--keyring=$keys")
}

run_mmdebstrap() { # IMAGE SUITE ARCHITECTURE TAR; uses options and sources
    [ "$offline" = no ] || [ -n "$mirror" ] || die $kMissingInput "--offline: the base image $1 is not here, and without --mirror it cannot be made"
    [ "$(id -u)" = 0 ] || die $kMissingInput "the base image $1 cannot be pulled; making it needs root: run this with sudo"
    [[ $1 != ubuntu:* ]] || ubuntu_sources "$2" "$3"
    ensure mmdebstrap mmdebstrap
    note "$1 cannot be pulled: making it with mmdebstrap"
    unfinished+=("$4.new" "$4.sources")
    [ "${snapshot-no}" = no ] || options+=(--aptopt='Acquire::Check-Valid-Until "false"')
    [ -z "${sources[*]}" ] && sources=()
    own_sources "$1" "$2" "$3" >"$4.sources"
    # The machine's name and resolver are not the image's business. The files are there, though: an engine that has to make them
    # in order to mount something there dates /etc.
    # shellcheck disable=SC2016
    run env "SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1577836800}" mmdebstrap --format=tar --variant=minbase --include=apt,ca-certificates "--architectures=$3" "${options[@]}" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
        --customize-hook='rm -rf "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/* "$1"/etc/apt/sources.list.d/*' \
        --customize-hook='for file in hosts hostname resolv.conf; do : >"$1/etc/$file"; chmod 644 "$1/etc/$file"; done' \
        --customize-hook="cp $(printf %q "$4.sources") \"\$1/etc/apt/sources.list\"" \
        "$2" "$4.new" "${sources[@]}" </dev/null >"$4.log" 2>&1 ||
        { rm -f "$4.new" "$4.sources"; die $kFailed "mmdebstrap could not make $1: $(apt_cause "$4.log")"; }
    rm -f "$4.sources"
    mv "$4.new" "$4"
}
