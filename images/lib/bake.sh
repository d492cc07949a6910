# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
# The files that a GoCD server gives its agents, put into the build context so that an image need not fetch them.

readonly kBakedFiles=(agent.jar agent-launcher.jar agent-plugins.zip tfs-impl.jar)

bake() { # DIRECTORY of the context
    local into=$1
    mkdir -p "$into"
    if [ -n "$bake_jars" ]; then bake_from_directory "$into"; fi
    if [ -n "$bake_from" ]; then bake_from_server "$into"; fi
    if [ -n "$bake_server" ]; then bake_from_archive "$bake_server" "$into"; fi
    [ -s "$into/agent.jar" ] || die $kBadInput "there is no agent.jar in ${bake_jars}${bake_from}${bake_server}"
}

bake_from_directory() {
    local file
    for file in "${kBakedFiles[@]}"; do
        [ ! -s "$bake_jars/$file" ] || cp "$bake_jars/$file" "$1/"
    done
}

# A running server announces each file's MD5 sum.
bake_from_server() {
    local file url sum
    ensure curl curl
    for file in "${kBakedFiles[@]}"; do
        url=${bake_from%/}/admin/${file/#agent.jar/agent}
        curl -fsSL --retry 3 -D "$context/headers" -o "$1/$file" "$url" 2>"$context/curl.log" ||
            die $kMissingInput "--bake-from: cannot download $url: $(tail -1 "$context/curl.log")"
        sum=$(tr -d '\r' <"$context/headers" | sed -n 's/^content-md5: *//Ip' | tail -1)
        [ -z "$sum" ] || echo "$sum  $1/$file" | md5sum -c --status || die $kBadInput "--bake-from: $url has another MD5 sum than the server says"
    done
    rm -f "$context/headers"
}

# agent.jar and agent-launcher.jar lie in go.jar, in older releases in a war inside it; go.jar lies in the server's zip.
bake_from_archive() { # ARCHIVE DIRECTORY
    local member inner
    ensure unzip unzip
    unzip -Z1 "$1" >"$context/members" 2>/dev/null || die $kBadInput "--bake-server $1 is not a zip"
    local members
    mapfile -t members <"$context/members"
    for member in "${members[@]}"; do
        case ${member##*/} in
            agent.jar | agent-launcher.jar | tfs-impl.jar | agent-plugins.zip) unzip -p "$1" "$member" >"$2/${member##*/}" ;;
            go.jar | *.war)
                inner=$(mktemp "$context/archive.XXXXXX")
                unzip -p "$1" "$member" >"$inner"
                bake_from_archive "$inner" "$2"
                rm -f "$inner"
                ;;
        esac
    done
    rm -f "$context/members"
}
