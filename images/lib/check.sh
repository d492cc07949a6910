# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
# What the command line says, looked at before anything is pulled, made or built: what is wrong costs no minutes.

readonly kPackage='^[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?$'
readonly kHost='((localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|\[[0-9a-fA-F:]+\])(:[0-9]+)?|[A-Za-z0-9-]+:[0-9]+)/'
readonly kPart='[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*'
readonly kTag="^($kHost)?$kPart(/$kPart)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
readonly kUrl='^[a-z][a-z0-9+.-]*:/[^[:space:]]+$'

check_inputs() {
    check_names
    check_agent
    check_baked_files
    check_docker
    # As seconds in a layer's archive: eleven digits are a year that no tool knows.
    [[ ${SOURCE_DATE_EPOCH-0} =~ ^[0-9]{1,10}$ ]] ||
        die $kUsage "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH: seconds since 1970 are expected, such as 1577836800"
    check_delivery
}

check_names() {
    local name names
    [[ $tag =~ $kTag$ ]] || die $kUsage "--tag $tag is not the name of an image, such as registry.example.com/name:1"
    [[ $base =~ $kTag(@sha256:[0-9a-f]{64})?$ ]] || die $kUsage "--base $base is not the name of an image, such as debian:trixie-slim"
    read -ra names <<<"${with//,/ }"
    for name in "${names[@]}"; do
        [[ $name =~ $kPackage ]] || die $kUsage "--with: $name is not the name of a package (lower case; name=version for one version)"
    done
    [ -z "$with" ] || [ ${#names[@]} -gt 0 ] || die $kUsage "--with $with names no package"
    check_url --mirror "$mirror"
    check_url --gocd-url "$gocd_url"
    check_url --docker-url "$docker_url"
    check_url --bake-from "$bake_from"
    [ $snapshot = no ] || [ -n "$mirror" ] || die $kUsage "--snapshot says what --mirror is: give --mirror URL"
}

check_url() { # OPTION VALUE
    [ -z "$2" ] || [[ $2 =~ $kUrl ]] || die $kUsage "$1 $2 is not a URL, such as https://example.com/path"
}

check_agent() {
    [ -z "$gocd_version" ] || [[ $gocd_version =~ ^[0-9]+\.[0-9]+\.[0-9]+-[0-9]+$ ]] ||
        die $kUsage "--gocd-version $gocd_version: the full version is needed, such as 25.3.0-20862"
    [ -z "$sha256" ] || [[ $sha256 =~ ^[0-9A-Fa-f]{64}$ ]] || die $kUsage "--sha256 $sha256: 64 hexadecimal digits are expected"
    sha256=${sha256,,}
    if [ -n "$agent_zip" ]; then
        check_zip
    elif [ $offline = yes ] && ! compgen -G "$root/images/agent/go-agent*.zip" >/dev/null; then
        die $kMissingInput "--offline needs the agent as a file: give --agent-zip FILE"
    fi
}

check_zip() {
    local sum
    [ -e "$agent_zip" ] || die $kMissingInput "--agent-zip $agent_zip: no such file"
    if [ ! -f "$agent_zip" ] || [ ! -r "$agent_zip" ]; then die $kMissingInput "--agent-zip $agent_zip: not a file that can be read"; fi
    if [ -n "$sha256" ]; then
        sum=$(sha256sum <"$agent_zip")
        [ "${sum%% *}" = "$sha256" ] || die $kBadInput "--agent-zip $agent_zip has the checksum ${sum%% *}, not $sha256"
    fi
    is_zip "$agent_zip" || die $kBadInput "--agent-zip $agent_zip is not a whole zip (an error page, half a download?): download it again"
}

# Both ends of a zip: a page that says "not found" has neither, half a download lacks the second.
is_zip() { # FILE
    [ "$(head -c 4 "$1" | od -An -c | tr -d ' \n')" = 'PK003004' ] && tail -c 65600 "$1" | LC_ALL=C grep -qaF $'PK\005\006'
}

# What the label says of a local zip: the version in its name, else that of the folder in it.
zip_version() { # FILE
    local version
    version=$(basename "$1" | sed -nE 's/^go-agent-([0-9]+\.[0-9]+\.[0-9]+-[0-9]+)\.zip$/\1/p')
    [ -n "$version" ] || version=$(head -c 400 "$1" | LC_ALL=C grep -aoE 'go-agent-[0-9]+\.[0-9]+\.[0-9]+' | sed 's/go-agent-//;q')
    echo "${version:-unknown}"
}

check_baked_files() {
    [ -z "$bake_jars" ] || [ -d "$bake_jars" ] || die $kMissingInput "--bake-jars $bake_jars: no such directory"
    [ -z "$bake_jars" ] || [ -s "$bake_jars/agent.jar" ] || die $kMissingInput "--bake-jars $bake_jars: there is no agent.jar in it"
    if [ -n "$bake_server" ] && { [ ! -f "$bake_server" ] || [ ! -r "$bake_server" ]; }; then
        die $kMissingInput "--bake-server $bake_server: not a file that can be read"
    fi
}

check_docker() {
    case $docker in '' | debian | docker-ce) ;; *) die $kUsage "--docker $docker: accepted are debian and docker-ce" ;; esac
    [ "$variant" != agent ] || [ -z "$docker$docker_version" ] || die $kUsage "--docker and --docker-version: the variant agent has no Docker"
    [[ $docker_version =~ ^[A-Za-z0-9.+~:-]*$ ]] || die $kUsage "--docker-version $docker_version is not a version"
}

# A file that is written at the end of a build is tried before it.
check_writable() { # OPTION FILE
    local folder probe
    folder=$(dirname "$2")
    [ -d "$folder" ] || die $kMissingInput "$1 $2: no folder $folder"
    [ ! -d "$2" ] || die $kMissingInput "$1 $2 is a folder: the name of a file is expected"
    probe=$(mktemp "$folder/.writable.XXXXXX" 2>&1) || die $kMissingInput "$1 $2 cannot be written: ${probe##*: }"
    rm -f "$probe"
}
