// Docker's tools as jobs use them, in the default containment: compose, buildx, ports, copies, limits, host
// modes.
#include <gmock/gmock.h>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using test_support::CommandResult;
using test_support::trimmed;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// One engine for all cases: each works in a directory of its own and with names of its own.
class Tools : public EndToEnd {
  protected:
    static void TearDownTestSuite() { container_.reset(); }
    void SetUp() override {
        EndToEnd::SetUp();
        if (IsSkipped()) return;
        if (container_) return;
        container_ = std::make_unique<Container>(dind({}, {"--", "sleep", "900"}));
        ASSERT_EQ(container_->start_failure(), "");
        ASSERT_TRUE(becomes_healthy(*container_)) << container_->logs();
        ASSERT_TRUE(load_inner_image(*container_));
    }
    static CommandResult job(const std::string& script) {
        const std::string directory =
            std::string("/go-working-dir/") + ::testing::UnitTest::GetInstance()->current_test_info()->name();
        return container_->exec_as(
            "go", {"sh", "-c", "mkdir -p " + directory + " && cd " + directory + "\n" + script},
            seconds(120));
    }
    // `docker run --rm OPTIONS inner-busybox:test sh -c SCRIPT`, SCRIPT without single quotes.
    static CommandResult box(const std::string& options, const std::string& script) {
        return job("docker run --rm " + options + " inner-busybox:test sh -c '" + script + "'");
    }
    static std::string address() {
        return trimmed(container_->inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"));
    }
    static std::unique_ptr<Container> container_;
};
std::unique_ptr<Container> Tools::container_;

TEST_F(Tools, ComposeWaitsForHealthAndKeepsVolumes) {
    const auto run = job(R"sh(cat >compose.yaml <<'END'
services:
  db:
    image: inner-busybox:test
    stop_grace_period: 1s
    command: sh -c 'sleep 1; echo row >/data/table; chown 999:999 /data/table; exec sleep 600'
    healthcheck: {test: [CMD, test, -s, /data/table], interval: 1s, retries: 30}
    volumes: ["data:/data"]
    networks: [back]
  web:
    image: inner-busybox:test
    stop_grace_period: 1s
    depends_on: {db: {condition: service_healthy}}
    command: httpd -f -p 80 -h /data
    ports: ["8091:80"]
    volumes: ["data:/data:ro", "./own:/own"]
    networks: [back]
networks: {back: {}}
volumes: {data: {}}
END
mkdir -p own
docker compose up -d --quiet-pull 2>/dev/null
curl -sS --retry 10 --retry-delay 1 --retry-all-errors http://localhost:8091/table
docker compose exec -T web sh -c 'stat -c %u:%g /data/table; nslookup -type=a db >/dev/null && echo found; echo x >/own/f'
stat -c %u:%g own/f
docker compose down -v 2>/dev/null
docker volume ls -q; docker network ls -q -f name=back)sh");
    EXPECT_EQ(run.out, "row\n999:999\nfound\n0:0\n") << run.text();
}

TEST_F(Tools, BuildxBuildsStagesWithCacheAndBindMounts) {
    const auto run = job(R"sh(cat >Dockerfile <<'END'
FROM inner-busybox:test AS build
ARG round
RUN --mount=type=cache,target=/cache --mount=type=bind,target=/context \
    cat /context/word >/out; echo line >>/cache/lines; wc -l </cache/lines >/count; chown 33:33 /out
RUN --mount=type=tmpfs,target=/scratch --mount=type=secret,id=s cp /run/secrets/s /secret && echo t >/scratch/t
RUN mkdir /gone && touch /gone/a
RUN rm -r /gone && mkdir /gone && touch /gone/b
FROM inner-busybox:test
COPY --from=build --chown=1000:1000 /out /secret /
COPY --from=build /gone /gone
COPY --from=build /count /count
END
echo word >word; echo hush >s
docker buildx build -q --build-arg round=1 --secret id=s,src=s -t staged . >/dev/null || exit 1
docker buildx build -q --load --build-arg round=2 --secret id=s,src=s -t loaded . >/dev/null || exit 2
docker run --rm loaded sh -c 'cat /out /secret /count; stat -c %u:%g /out; ls /gone')sh");
    EXPECT_EQ(run.out, "word\nhush\n2\n1000:1000\nb\n") << run.text();
}

TEST_F(Tools, BuildsInTheHostsNetworkReachTheJobsPorts) {
    const auto run = job(R"sh(mkdir -p w; echo served >w/page
docker run -d --name served -v "$PWD/w:/w" -p 8092:80 inner-busybox:test httpd -f -p 80 -h /w >/dev/null
printf 'FROM inner-busybox:test\nRUN for i in 1 2 3 4 5 6 7 8 9; do wget -qO /page http://127.0.0.1:8092/page && break; sleep 0.3; done\n' >Dockerfile
docker buildx build -q --network=host -t fetched . >/dev/null
docker run --rm fetched cat /page
docker rm -f served >/dev/null)sh");
    EXPECT_EQ(run.out, "served\n") << run.text();
}

TEST_F(Tools, PublishedPortsAreReachedFromOutside) {
    const auto run = job(
        "docker run -d --name out -p 8093:80 -p 127.0.0.1:8094:80 inner-busybox:test sh -c 'mkdir /w; echo "
        "page "
        ">/w/index.html; exec httpd -f -p 80 -h /w'; curl -sS --retry 10 --retry-delay 1 --retry-all-errors "
        "http://localhost:8093 http://127.0.0.1:8094");
    EXPECT_THAT(run.out, ::testing::EndsWith("page\npage\n")) << run.text();
    const auto outside = [](const std::string& port) {
        return test_support::run_command({"curl", "-sS", "-m", "5", "http://" + address() + ":" + port});
    };
    EXPECT_EQ(outside("8093").out, "page\n");
    EXPECT_NE(outside("8094").out, "page\n") << "published on the loopback alone";
    job("docker rm -f out");
}

TEST_F(Tools, CopiesKeepOwners) {
    const auto run = job(R"sh(echo in >in; chmod 0640 in
docker run -d --name copy inner-busybox:test sleep 600 >/dev/null
docker cp in copy:/in && docker cp -a in copy:/in-a
docker exec copy sh -c 'stat -c %u:%g:%a /in /in-a; echo out >/out; chown 33:44 /out; chmod 0755 /out'
docker cp copy:/out out; stat -c %u:%a out
docker exec -u 33:44 -w /tmp -e A=b copy sh -c 'id -u; id -g; pwd; echo $A'
docker rm -f copy >/dev/null)sh");
    EXPECT_EQ(run.out, "1000:0:640\n1000:0:640\n1000:755\n33\n44\n/tmp\nb\n") << run.text();
}

TEST_F(Tools, VolumesKeepOwnersAndAreSharedBetweenContainers) {
    const auto run =
        job("docker volume create vol >/dev/null; docker run --rm -v vol:/v inner-busybox:test sh -c 'echo a "
            ">/v/a; chown "
            "1000650000:7 /v/a'; docker run --rm -u 5 -v vol:/v:ro inner-busybox:test sh -c 'stat -c %u:%g "
            "/v/a; cat /v/a; echo b "
            ">/v/b'; docker volume rm vol");
    EXPECT_THAT(run.out, StartsWith("1000650000:7\na\n")) << run.text();
    EXPECT_THAT(run.err, HasSubstr("Read-only")) << run.text();
}

TEST_F(Tools, LimitsAreThoseOfTheContainersCgroup) {
    const auto read = [](const std::string& options, const std::string& version2,
                         const std::string& version1) {
        return box(options,
                   "cat /sys/fs/cgroup/" + version2 + " 2>/dev/null || cat /sys/fs/cgroup/" + version1)
            .out;
    };
    EXPECT_EQ(read("-m 48m", "memory.max", "memory/memory.limit_in_bytes"), "50331648\n");
    EXPECT_EQ(read("--pids-limit 77", "pids.max", "pids/pids.max"), "77\n");
    EXPECT_THAT(read("--cpus 0.5", "cpu.max", "cpu/cpu.cfs_quota_us"), AnyOf("50000 100000\n", "50000\n"));
    EXPECT_EQ(box("-m 48m", "head -c 90000000 /dev/zero | tail >/dev/null; echo $?").out, "137\n");
}

TEST_F(Tools, HostModesMeanTheEnginesNamespaces) {
    EXPECT_EQ(box("--pid=host", "cat /proc/1/comm").out, "engine-space\n");
    EXPECT_EQ(box("--network=host", "readlink /proc/self/ns/net").out, job("readlink /proc/self/ns/net").out);
    EXPECT_NE(box("--uts=host --privileged", "hostname changed-inside; hostname").out, "");
    EXPECT_EQ(job("cat /proc/sys/kernel/hostname").out, container_->exec({"cat", "/etc/hostname"}).out)
        << "the agent's own name stays";
}

TEST_F(Tools, PrivilegedContainersDoWhatTheyAreUsedFor) {
    const auto run = box(
        "--privileged",
        "mount -t tmpfs none /tmp && echo mounted; ip link add d0 type dummy 2>/dev/null || ip link add d0 "
        "type bridge && echo linked; echo 1 >/proc/sys/net/ipv4/ip_forward && echo set; echo x "
        ">/proc/sys/kernel/core_pattern || echo refused");
    EXPECT_EQ(run.out, "mounted\nlinked\nset\nrefused\n") << run.text();
}

}  // namespace
}  // namespace e2e
