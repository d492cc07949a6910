# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154
# For which platform an image is built, and where it goes beside the engine: a registry, an OCI archive.

check_delivery() {
    case $output in
        '') ;;
        oci:?*) check_writable "--output" "${output#oci:}" ;;
        *) die $kUsage "--output $output: accepted is oci:FILE" ;;
    esac
    [ -z "$sbom" ] || check_writable --sbom "$sbom"
    case $platform in
        '') ;;
        amd64 | arm64 | linux/amd64 | linux/arm64) platform=${platform#linux/} ;;
        *) die $kUsage "--platform $platform: accepted are amd64 and arm64" ;;
    esac
    [ $push = no ] || [[ $tag == */* ]] || die $kUsage "--push: the tag $tag names no registry; give --tag REGISTRY/NAME:VERSION"
}

# A foreign platform's programs run where the kernel hands them to an emulator.
check_platform() {
    local own interpreter=qemu-aarch64
    [ -n "$platform" ] || return 0
    own=$("$docker_cli" version --format '{{.Server.Arch}}')
    [ "$platform" != "$own" ] || return 0
    [ "$platform" = arm64 ] || interpreter=qemu-x86_64
    case ${DOCKER_HOST-unix:} in unix:*) ;; *) return 0 ;; esac
    [ -e /proc/sys/fs/binfmt_misc/$interpreter ] ||
        die $kNoEngine "--platform $platform: this $own machine cannot run such programs; install qemu-user-static and binfmt-support, or build on $platform"
}

deliver() { # IMAGE
    if [ -n "$output" ]; then write_oci "$1" "${output#oci:}"; fi
    [ $push = yes ] || return 0
    local log=$context/push.log
    run "$docker_cli" push "$1" >"$log" 2>&1 || die $kFailed "the push of $1 failed: $(tail -1 "$log") (the image is in the engine: docker push $1)"
    note "pushed: $1 $(grep -o 'sha256:[0-9a-f]*' "$log" | tail -1)"
}

# From what any engine saves to an OCI image layout: the same layers, under their digests. Dates, names and order are fixed, so
# the same image gives the same file.
write_oci() { # IMAGE FILE
    ensure jq jq
    local work=$context/oci blobs=$context/oci-layout/blobs/sha256
    mkdir -p "$work" "$blobs"
    "$docker_cli" save "$1" 2>"$context/save.log" | tar -xC "$work" 2>>"$context/save.log" ||
        die $kFailed "docker save of $1 to $work failed: $(grep -m1 . "$context/save.log")"
    local config layers=() file
    config=$(blob "$work/$(jq -r '.[0].Config' "$work/manifest.json")")
    while read -r file; do layers+=("$(blob "$work/$file")"); done < <(jq -r '.[0].Layers[]' "$work/manifest.json")
    printf '%s\n' "$config" "${layers[@]}" | jq -sc '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: (.[0] + {mediaType: "application/vnd.oci.image.config.v1+json"}),
        layers: [.[1:][] + {mediaType: "application/vnd.oci.image.layer.v1.tar"}]}' >"$work/oci-manifest"
    blob "$work/oci-manifest" | jq -c --arg name "$1" '{schemaVersion: 2, manifests: [. + {mediaType: "application/vnd.oci.image.manifest.v1+json",
        annotations: {"org.opencontainers.image.ref.name": $name}}]}' >"$context/oci-layout/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$context/oci-layout/oci-layout"
    # For docker load of engines that do not read OCI layouts.
    printf '%s\n' "$config" "${layers[@]}" | jq -sc --arg name "$1" 'map("blobs/" + (.digest | sub(":"; "/")))
        | [{Config: .[0], RepoTags: [$name], Layers: .[1:]}]' >"$context/oci-layout/manifest.json"
    local new=$2.new.$$ log=$context/tar.log
    unfinished+=("$new")
    tar --sort=name --mtime="@${SOURCE_DATE_EPOCH:-0}" --owner=0 --group=0 --numeric-owner -C "$context/oci-layout" -cf "$new" . 2>"$log" ||
        die $kFailed "$2 could not be written: $(grep -m1 . "$log")"
    mv "$new" "$2"
    rm -rf "$work" "$context/oci-layout"
    note "written: $2 ($(stat -c %s "$2" | numfmt --to=si)B)"
}

# Moves a file to its place among the blobs and prints its descriptor.
blob() { # FILE
    local sum
    sum=$(sha256sum "$1" | cut -d' ' -f1)
    printf '{"digest":"sha256:%s","size":%s}\n' "$sum" "$(stat -Lc %s "$1")"
    [ -e "$blobs/$sum" ] || cp -L --reflink=auto "$1" "$blobs/$sum"
}
