# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
# Recipes: what an image has beyond the agent, as a stage behind the variant's own.

# Sets recipe_file from a name of images/recipes or a path.
find_recipe() { # NAME_OR_PATH
    if [ -f "$1" ]; then
        recipe_file=$1
    elif [ -f "$root/images/recipes/$1.json" ]; then
        recipe_file=$root/images/recipes/$1.json
    else
        die $kUsage "unknown variant or recipe $1: accepted are dind, agent, agent-docker, a recipe ($(recipe_names)) or a .json file"
    fi
}

recipe_names() { basename -s .json "$root"/images/recipes/*.json | paste -sd, | sed 's/,/, /g'; }

check_recipe() {
    ensure jq jq
    local problems missing
    problems=$(jq -r -f "$root/images/lib/recipe.jq" "$recipe_file" 2>&1) || die $kBadInput "$recipe_file: ${problems/jq: error*: /not JSON: }"
    if [ -n "$problems" ]; then
        printf '%s\n' "$problems" | sed "s#^#$recipe_file: #" >&2
        die $kBadInput "the recipe is wrong"
    fi
    while read -r missing; do
        [ -e "$(dirname "$recipe_file")/$missing" ] || die $kMissingInput "$recipe_file: files: $missing is not there"
    done < <(jq -r '.files // [] | .[].from' "$recipe_file")
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

recipe_lines() {
    local from to mode
    while IFS=$'\t' read -r from to mode; do
        mkdir -p "$context/images/recipe-files$(dirname "$to")"
        cp -a "$(dirname "$recipe_file")/$from" "$context/images/recipe-files$to"
        chmod -R "$mode" "$context/images/recipe-files$to"
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
