#!/usr/bin/env bash
# Images: builds of every kind, tags, archives, and a registry.
set -uo pipefail
# shellcheck source=tests/broker/clients/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

mkdir -p context
cat >context/Dockerfile <<END
FROM $IMAGE AS first
ARG WHO=nobody
RUN echo built by \$WHO >/made
FROM $IMAGE
LABEL color=red
COPY --from=first /made /made
COPY big leaf* /
RUN wc -c </big && ls /leaf && ! test -e /ignored
ENV A=b
CMD ["cat","/made"]
END
head -c 60000000 /dev/zero >context/big
echo leaf >context/leaf
echo ignored >context/ignored
echo ignored >context/.dockerignore
# Without what the CLIs say about themselves, and without the steps that differ by the labels of the owner.
build() {
    docker build "$@" 2>&1 | sed -E 's/^Step ([0-9]+)\/[0-9]+/Step/; /LABEL (org.gocd|size)/,+1d' | grep -v -e DEPRECATED -e 'Install the buildx' -e 'https://docs.docker.com/go/buildx' -e '^$' -e 'BuildKit is currently' -e environment-variable \
        -e '^Sending build context' -e '^Removing intermediate' -e ' ---> '
}
step build --build-arg WHO=me -t clients-built:1 --label size=2 context
step docker run --rm clients-built:1
step docker image inspect clients-built:1 --format '{{json .Config.Labels}} {{json .Config.Env}} {{json .Config.Cmd}} {{.RepoTags}}'
step build -q --target first --iidfile iid -t clients-first:1 context
grep -c '^sha256:' iid
from_stdin() { printf 'FROM %s\nRUN echo in\n' "$IMAGE" | build -t clients-stdin:1 --no-cache -; }
step from_stdin
failing() {
    printf 'FROM %s\nRUN exit 3\n' "$IMAGE" | docker build - >build.out 2>&1
    echo $?
    grep -o 'returned a non-zero code: 3' build.out
}
step failing
broken() { printf 'NONSENSE\n' | docker build - 2>&1 | grep -o 'unknown instruction: NONSENSE' | head -n 1; }
step broken
tar_context() { tar -C context -c Dockerfile leaf big | docker build -q -f Dockerfile -t clients-tar:1 - | grep -c '^sha256:'; }
step tar_context

sorted docker images --filter label=color=red --filter dangling=false --format '{{.Repository}}:{{.Tag}}'
sorted docker images --filter 'reference=clients-*:1' --format '{{.Repository}}:{{.Tag}}'
step docker tag clients-built:1 clients-tagged:2
step docker tag no-such-image:1 clients-tagged:3
step docker history --format '{{.CreatedBy}}' "$IMAGE"
step docker rmi clients-tagged:2
step docker rmi no-such-image:1

saved() { docker save clients-built:1 clients-first:1 -o saved.tar && tar -tf saved.tar | grep -c -e manifest.json -e repositories; }
step saved
quiet docker rmi clients-first:1
sorted docker load -i saved.tar
from_pipe() { docker save clients-first:1 | docker load; }
step from_pipe
made() { docker create --name clients-made "$IMAGE" true >/dev/null && docker export clients-made >rootfs.tar && docker rm clients-made; }
step made
imported() { docker import -c 'CMD ["echo","imported"]' -m message - clients-imported:1 <rootfs.tar; }
step imported
step docker run --rm clients-imported:1

if [ -n "${REGISTRY-}" ]; then
    login() { echo secret | docker login -u user --password-stdin "$REGISTRY" 2>&1 | grep -i succeeded; }
    step login
    step docker tag clients-built:1 "$REGISTRY/some/built:1"
    pushed() { docker push "$REGISTRY/some/built:1" | grep -o -e '^1: digest' -e 'The push refers to repository.*'; }
    step pushed
    quiet docker rmi "$REGISTRY/some/built:1"
    pulled() { docker pull "$REGISTRY/some/built:1" | grep -e Status -e '^1:'; }
    step pulled
    step pulled
    step docker run --rm "$REGISTRY/some/built:1"
    step docker pull -q "$REGISTRY/some/built:missing"
    step docker image inspect "$REGISTRY/some/built:1" --format '{{len .RepoDigests}}'
    quiet docker rmi "$REGISTRY/some/built:1"
    step docker logout "$REGISTRY"
fi
quiet docker rmi clients-built:1 clients-first:1 clients-stdin:1 clients-tar:1 clients-imported:1
sorted docker images --filter 'reference=clients-*:1' --format '{{.Repository}}:{{.Tag}}'
quiet docker image prune -f
