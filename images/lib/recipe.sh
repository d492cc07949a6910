# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
# Recipes: what an image has beyond the agent, as a stage behind the variant's own.

# Sets recipe_file from a name of images/recipes or a path. A file of that name in the current folder is not meant.
find_recipe() { # NAME_OR_PATH
    if [[ $1 != */* ]] && [ -f "$root/images/recipes/$1.json" ]; then
        recipe_file=$root/images/recipes/$1.json
    elif [ -f "$1" ]; then
        [ -r "$1" ] || die $kMissingInput "the recipe $1 cannot be read"
        recipe_file=$1
    elif [[ $1 == *.json ]]; then
        die $kMissingInput "the recipe $1 is not there"
    else
        die $kUsage "unknown variant or recipe $1: accepted are dind, agent, agent-docker, a recipe ($(recipe_names)) or a .json file"
    fi
}

recipe_names() { basename -s .json "$root"/images/recipes/*.json | paste -sd, | sed 's/,/, /g'; }

check_recipe() {
    ensure jq jq
    local problems line number
    number=$(jq -s length "$recipe_file" 2>&1) || die $kBadInput "$recipe_file: not JSON: ${number#jq: }"
    [ "$number" = 1 ] || die $kBadInput "$recipe_file: one JSON object is expected, not $number"
    problems=$(jq -r -f "$root/images/lib/recipe.jq" "$recipe_file")
    while IFS= read -r line; do
        [ -z "$line" ] || note "$(basename "$0"): $recipe_file: $line"
    done <<<"$problems"
    [ -z "$problems" ] || exit $kBadInput
    check_recipe_files
}

check_recipe_files() {
    local from to
    while IFS=$'\t' read -r from to; do
        [ -e "$(dirname "$recipe_file")/$from" ] || die $kMissingInput "$recipe_file: files: $from is not there"
        [ -d "$(dirname "$recipe_file")/$from" ] || [[ $to != */ ]] ||
            die $kBadInput "$recipe_file: files: $from is a file, and to names a folder, $to: the file's own path is expected"
    done < <(jq -r '.files // [] | .[] | [.from, .to] | @tsv' "$recipe_file")
}

recipe_value() { jq -r "$1 // empty" "$recipe_file"; }

# Writes the stage "recipe" behind the variant's Dockerfile in the context, and the files it copies.
append_recipe_stage() { # VARIANT
    local packages
    packages=$(printf '%s\n' "${with//,/ }" "$([ -z "$recipe_file" ] || recipe_value '.packages // [] | join(" ")')" | paste -sd' ')
    {
        printf '\nFROM %s AS recipe\n' "$1"
        if [ -n "${packages// /}" ]; then
            cat <<END
RUN --mount=type=bind,source=images/packages,target=/dev/images/packages \\
    --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked \\
    /dev/images/packages/layer /dev/images/packages/install -- $packages
END
        fi
        [ -z "$recipe_file" ] || recipe_lines
    } >>"$context/$dockerfile"
}

# The mode is that of files. A folder's content joins what is there already.
copy_for_recipe() { # FROM TO MODE
    local part=$context/recipe-part
    if [ -d "$1" ]; then
        cp -a "$1" "$part"
        find "$part" -type d -exec chmod 755 {} +
        find "$part" -type f -exec chmod "$3" {} +
        mkdir -p "$2"
        cp -a "$part/." "$2/"
        rm -rf "$part"
    else
        mkdir -p "$(dirname "$2")"
        cp -aL "$1" "$2"
        chmod "$3" "$2"
    fi
}

recipe_lines() {
    local from to mode
    while IFS=$'\t' read -r from to mode; do
        copy_for_recipe "$(dirname "$recipe_file")/$from" "$context/images/recipe-files$to" "$mode"
    done < <(jq -r '.files // [] | .[] | [.from, .to, .mode // "u=rwX,go=rX"] | @tsv' "$recipe_file")
    if [ -d "$context/images/recipe-files" ]; then
        find "$context/images/recipe-files" -exec touch -hd "@${SOURCE_DATE_EPOCH:-1577836800}" {} +
        echo '!images/recipe-files' >>"$context/.dockerignore"
        echo 'COPY images/recipe-files/ /'
    fi
    jq -r '(.environment // {} | to_entries[] | "ENV \(.key)=\(.value | tojson | gsub("\\$"; "\\$"))"),
        ((.labels // {}) + (if .description then {"org.opencontainers.image.description": .description} else {} end)
            | to_entries[] | "LABEL \(.key | tojson)=\(.value | tojson | gsub("\\$"; "\\$"))")' "$recipe_file"
}
