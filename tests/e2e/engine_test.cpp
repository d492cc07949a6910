// What jobs do with the engine inside: build, run, compose, ports, names.
#include <gmock/gmock.h>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using ::testing::HasSubstr;

// A container whose agent is replaced by a long sleep, with the engine up.
class Engine : public EndToEnd {
  protected:
    void SetUp() override {
        EndToEnd::SetUp();
        if (IsSkipped()) return;
        container_ = std::make_unique<Container>(dind({}, {"--", "sleep", "600"}));
        ASSERT_EQ(container_->start_failure(), "");
        ASSERT_TRUE(becomes_healthy(*container_)) << container_->logs();
        ASSERT_TRUE(load_inner_image(*container_));
    }

    // A shell line as a job would run it.
    test_support::CommandResult job(const std::string& line) {
        return container_->exec_as("go", {"sh", "-c", "cd /go-working-dir && " + line}, seconds(120));
    }

    std::unique_ptr<Container> container_;
};

TEST_F(Engine, RunsAContainer) {
    const auto run = job("docker run --rm inner-busybox:test echo hello from inside");
    EXPECT_EQ(run.out, "hello from inside\n") << run.text() << container_->logs();
}

TEST_F(Engine, PassesAContainersExitStatusOn) {
    EXPECT_EQ(job("docker run --rm inner-busybox:test sh -c 'exit 42'").status, 42);
}

TEST_F(Engine, BuildsAnImage) {
    const auto build =
        job("mkdir -p b && printf 'FROM inner-busybox:test\\nCOPY word /word\\nRUN cat /word /word "
            ">/twice\\n' >b/Dockerfile && "
            "echo twice >b/word && docker build -q -t built b && docker run --rm built cat /twice");
    EXPECT_THAT(build.out, HasSubstr("twice\ntwice\n")) << build.text() << container_->logs();
}

TEST_F(Engine, MountsTheJobsFilesAndWritesBack) {
    const auto run = job(
        "mkdir -p src && echo in >src/a && docker run --rm -v \"$PWD/src:/src\" inner-busybox:test "
        "sh -c 'cat /src/a && echo out >/src/b && chown 1000:0 /src/b' && cat src/b && stat -c %u:%g src/b");
    EXPECT_EQ(run.out, "in\nout\n1000:0\n") << run.text();
}

TEST_F(Engine, PublishesPortsWhereJobsLookForThem) {
    const auto run =
        job("docker run -d --name web -p 8080:80 inner-busybox:test "
            "sh -c 'mkdir /www && echo answer >/www/index.html && exec httpd -f -p 80 -h /www' >/dev/null && "
            "curl -sS --retry 20 --retry-delay 1 --retry-all-errors http://localhost:8080/index.html");
    EXPECT_EQ(run.out, "answer\n") << run.text();
}

TEST_F(Engine, ComposeServicesFindEachOtherByName) {
    const auto run = job(
        "mkdir -p c && cat >c/compose.yaml <<'END'\n"
        "services:\n"
        "  web:\n"
        "    image: inner-busybox:test\n"
        "    stop_grace_period: 1s\n"
        "    command: sh -c 'mkdir /www && echo composed >/www/index.html && exec httpd -f -p 80 -h /www'\n"
        "  client:\n"
        "    image: inner-busybox:test\n"
        "    depends_on: [web]\n"
        "    command: sh -c 'until wget -qO- http://web/index.html; do sleep 0.2; done'\n"
        "END\n"
        "cd c && docker compose up --abort-on-container-exit --exit-code-from client && docker compose logs "
        "client && "
        "docker compose down -v");
    EXPECT_TRUE(run.ok()) << run.text();
    EXPECT_THAT(run.out, HasSubstr("composed"));
}

TEST_F(Engine, LimitsMemoryOfAContainer) {
    const auto limit =
        job("docker run --rm -m 64m inner-busybox:test "
            "sh -c 'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat "
            "/sys/fs/cgroup/memory/memory.limit_in_bytes'");
    EXPECT_EQ(limit.out, "67108864\n") << limit.text();
}

TEST_F(Engine, RunsPrivilegedContainers) {
    const auto run =
        job("docker run --rm --privileged inner-busybox:test sh -c 'mount -t tmpfs none /mnt || mkdir /mnt "
            "&& mount -t tmpfs none /mnt; echo $?'");
    EXPECT_EQ(run.out, "0\n") << run.text();
}

TEST_F(Engine, UsesARealStorageDriverOnAVolume) {
    EXPECT_THAT(job("docker info --format '{{.Driver}}'").out, ::testing::AnyOf("overlay2\n", "overlayfs\n"))
        << container_->logs();
}

TEST_F(Engine, StatusTellsMachinesWhatRuns) {
    const auto status = container_->exec({"gocd-supervisor", "status", "--json"});
    EXPECT_TRUE(status.ok()) << status.text();
    EXPECT_THAT(status.out, HasSubstr("\"dind\"")) << status.text();
}

}  // namespace
}  // namespace e2e
