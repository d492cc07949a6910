# What the scripts of real clients share. Each is run twice, straight to the engine and through the broker, and both
# outputs have to be the same once ids, times and addresses are masked (normalise.sed).
#
# Given: DOCKER_HOST, IMAGE (a busybox), REGISTRY (a registry that the engine reaches), WORK (an empty folder which the
# engine has under the same path), CLI (the docker to use).
# shellcheck shell=bash disable=SC2034
: "${DOCKER_HOST:?}" "${IMAGE:?}" "${WORK:?}" "${CLI:=docker}"
export DOCKER_BUILDKIT=0 DOCKER_CLI_HINTS=false COMPOSE_DOCKER_CLI_BUILD=0 LC_ALL=C TZ=UTC DOCKER_CONFIG=$WORK/config
mkdir -p "$DOCKER_CONFIG"
cd "$WORK" || exit 1

docker() { timeout 60 "$CLI" "$@"; }

# A command, all that it prints, and how it ends.
step() {
    echo "## $*"
    local status=0
    "$@" 2>&1 || status=$?
    [ $status = 0 ] || echo "[status $status]"
}
# The same for what prints in no particular order.
sorted() {
    echo "## $*"
    "$@" 2>&1 | sort
}
# The same for what is not to be compared but must work.
quiet() {
    echo "## $*"
    local status=0
    "$@" >"$WORK/quiet" 2>&1 || status=$?
    [ $status = 0 ] || { echo "[status $status]"; cat "$WORK/quiet"; }
}
# A command line with a terminal of its own.
on_terminal() { script -qec "$*" /dev/null </dev/null; }
# The same with what the terminal's user types.
typing() { # TEXT COMMAND…
    local text=$1
    shift
    { sleep 1; printf '%b' "$text"; sleep 1; } | script -qec "$*" /dev/null
}
