// What jobs do with Docker, in a contained engine: one engine for all of these tests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <memory>

#include "contained_engine.hpp"
#include "fake_resolver.hpp"
#include "outer_network.hpp"

namespace supervisor::contain {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class JobsTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        if (!missing().empty()) return;
        network_ = std::make_unique<OuterNetwork>();
        resolver_ = std::make_unique<FakeResolver>(OuterNetwork::kPeer);
        engine_ = std::make_unique<ContainedEngine>(with_resolver());
        if (auto started = engine_->start(); !started) error_ = started.error().message();
    }
    static void TearDownTestSuite() {
        engine_.reset();
        resolver_.reset();
        network_.reset();
    }
    void SetUp() override {
        SUPERVISOR_CONTAIN_OR_SKIP();
        ASSERT_EQ(error_, "");
    }

    static EngineOptions with_resolver() {
        EngineOptions options;
        options.resolv_conf = "nameserver 127.0.0.11\n";
        options.ipv6 = true;
        options.mtu = OuterNetwork::kMtu;
        return options;
    }
    static ContainedEngine& engine() { return *engine_; }
    // A script in the world outside the container.
    static Output in_peer(const std::string& script) { return engine_->in_network(script, network_->peer()); }
    static Output box(const std::string& script, std::vector<std::string> options = {}) {
        std::vector<std::string> words{"run", "--rm"};
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {"box", "sh", "-c", script});
        return engine_->docker(words);
    }

    static std::unique_ptr<OuterNetwork> network_;
    static std::unique_ptr<FakeResolver> resolver_;
    static std::unique_ptr<ContainedEngine> engine_;
    static std::string error_;
};
std::unique_ptr<OuterNetwork> JobsTest::network_;
std::unique_ptr<FakeResolver> JobsTest::resolver_;
std::unique_ptr<ContainedEngine> JobsTest::engine_;
std::string JobsTest::error_;

TEST_F(JobsTest, RunsContainers) {
    EXPECT_EQ(box("echo hello; id -u").text, "hello\n0\n");
    EXPECT_THAT(engine().docker({"info", "--format", "{{.Driver}}"}).text, StartsWith("overlay2"));
}

TEST_F(JobsTest, SharesItsWorkingDirectoryBothWays) {
    const auto work = engine().work_directory();
    engine().outside("chown 1000:0 " + work);
    EXPECT_EQ(engine().as_job("echo from-job > job.txt; mkdir -p out", 1000).status, 0);
    const auto run =
        box("cat /s/job.txt; stat -c %u:%g /s/job.txt; echo x > /s/by-root; echo y > /s/by-1000;"
            "chown 1000:1000 /s/by-1000; echo more >> /s/job.txt",
            {"-v", work + ":/s"});
    EXPECT_EQ(run.text, "from-job\n1000:0\n");
    EXPECT_EQ(engine().as_job("stat -c '%n %u:%g' by-root by-1000 job.txt; cat job.txt", 1000).text,
              "by-root 0:0\nby-1000 1000:1000\njob.txt 1000:0\nfrom-job\nmore\n");
    EXPECT_EQ(engine().as_job("rm by-root by-1000 job.txt", 1000).status, 0);
}

TEST_F(JobsTest, KeepsIdsInTheBillions) {
    const auto work = engine().work_directory();
    EXPECT_EQ(
        box("echo x > /s/f; chown 1000650000:1000650000 /s/f; stat -c %u /s/f", {"-v", work + ":/s"}).text,
        "1000650000\n");
    EXPECT_EQ(engine().outside("stat -c %u " + work + "/f; rm " + work + "/f").text, "1000650000\n");
}

TEST_F(JobsTest, ReachesPublishedPortsOnLocalhost) {
    ASSERT_TRUE(engine()
                    .docker({"run", "-d", "--name", "web", "-p", "8080:80", "box", "sh", "-c",
                             "mkdir /w; echo page > /w/index.html; exec httpd -f -p 80 -h /w"})
                    .ok());
    EXPECT_EQ(engine()
                  .as_job("for i in 1 2 3 4 5; do busybox wget -qO- http://127.0.0.1:8080 2>/dev/null && "
                          "break; sleep 0.2; done")
                  .text,
              "page\n");
    EXPECT_EQ(in_peer("busybox wget -qO- http://10.55.0.2:8080").text, "page\n")
        << "from outside the outer container";
    EXPECT_EQ(engine().as_job("busybox wget -qO- 'http://[::1]:8080'").text, "page\n");
    EXPECT_EQ(in_peer("busybox wget -qO- 'http://[fd55::2]:8080'").text, "page\n");
    engine().docker({"rm", "-f", "web"});
}

TEST_F(JobsTest, PassesPortsOfTheJobOutsideToo) {
    const auto directory = engine().serve("job");
    EXPECT_EQ(engine().as_job("busybox httpd -p 8181 -h " + directory).status, 0);
    EXPECT_EQ(in_peer("busybox wget -qO- http://10.55.0.2:8181").text, "job\n");
    EXPECT_EQ(in_peer("busybox wget -qO- 'http://[fd55::2]:8181'").text, "job\n");
    engine().outside("pkill -f 'busybox httpd -p 8181'");
}

TEST_F(JobsTest, LeavesOuterListenersTheirPorts) {
    EXPECT_EQ(engine().outside("busybox httpd -p 7777 -h " + engine().serve("outer")).status, 0);
    EXPECT_EQ(engine().as_job("busybox httpd -p 7777 -h " + engine().serve("job")).status, 0);
    EXPECT_EQ(in_peer("busybox wget -qO- http://10.55.0.2:7777").text, "outer\n");
    engine().outside("pkill -f 'busybox httpd -p 7777'");
}

TEST_F(JobsTest, ReachesTheWorld) {
    in_peer("busybox httpd -p '[::]:8000' -h " + engine().serve("world"));
    EXPECT_EQ(box("wget -qO- http://10.55.0.1:8000").text, "world\n");
    EXPECT_EQ(engine().as_job("busybox wget -qO- http://10.55.0.1:8000").text, "world\n");
    EXPECT_EQ(box("wget -qO- http://server.outer.example:8000").text, "world\n")
        << "names of the outer network";
    EXPECT_EQ(engine().as_job("busybox nslookup -type=a server.outer.example 127.0.0.11").status, 0);
    EXPECT_EQ(engine().as_job("busybox wget -qO- 'http://[fd55::1]:8000'").text, "world\n") << "IPv6";
    engine().outside("pkill -f 'busybox httpd -p .*:8000'");
}

TEST_F(JobsTest, NamesWorkInUserNetworks) {
    ASSERT_TRUE(engine().docker({"network", "create", "net"}).ok());
    ASSERT_TRUE(engine()
                    .docker({"run", "-d", "--name", "web", "--network", "net", "box", "sh", "-c",
                             "mkdir /w; echo inner > /w/index.html; exec httpd -f -p 80 -h /w"})
                    .ok());
    EXPECT_EQ(box("wget -qO- http://web", {"--network", "net"}).text, "inner\n");
    EXPECT_EQ(
        box("nslookup -type=a server.outer.example >/dev/null && echo found", {"--network", "net"}).text,
        "found\n");
    engine().docker({"rm", "-f", "web"});
    engine().docker({"network", "rm", "net"});
}

TEST_F(JobsTest, CarriesTheMtuInwards) {
    EXPECT_THAT(engine().as_job("cat /proc/self/net/dev >/dev/null; ip link show eth0").text,
                HasSubstr("mtu 1400"));
}

TEST_F(JobsTest, LimitsContainers) {
    EXPECT_THAT(
        box("cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max",
            {"-m", "64m"})
            .text,
        HasSubstr("67108864"));
}

TEST_F(JobsTest, HostModesMeanTheEnginesNamespaces) {
    EXPECT_THAT(box("cat /proc/1/comm", {"--pid=host"}).text, HasSubstr("engine-space"));
    EXPECT_THAT(box("ip addr", {"--network=host"}).text, HasSubstr(engine().space().link()->inner_address));
    EXPECT_EQ(box("ls /proc | grep -c '^[0-9]'", {"--pid=host"}).status, 0);
}

TEST_F(JobsTest, PrivilegedContainersDoWhatTheyAreUsedFor) {
    EXPECT_EQ(box("mount -t tmpfs none /tmp && echo mounted", {"--privileged"}).text, "mounted\n");
    EXPECT_EQ(box("ip link add d0 type bridge && ip link set d0 up && echo made", {"--privileged"}).text,
              "made\n");
    EXPECT_NE(box("echo x > /proc/sys/kernel/core_pattern", {"--privileged"}).status, 0);
}

TEST_F(JobsTest, ExecCopyAndHealth) {
    ASSERT_TRUE(engine()
                    .docker({"run", "-d", "--name", "long", "--health-cmd", "true", "--health-interval", "1s",
                             "box", "sleep", "1000"})
                    .ok());
    EXPECT_EQ(engine().docker({"exec", "long", "echo", "in"}).text, "in\n");
    engine().outside("echo copied > " + engine().work_directory() + "/c");
    EXPECT_TRUE(engine().docker({"cp", engine().work_directory() + "/c", "long:/c"}).ok());
    EXPECT_EQ(engine().docker({"exec", "long", "cat", "/c"}).text, "copied\n");
    EXPECT_EQ(engine()
                  .as_job("for i in 1 2 3 4 5 6 7 8; do [ \"$(docker inspect -f {{.State.Health.Status}} "
                          "long)\" = healthy ] && exit 0; sleep 0.5; done; exit 1")
                  .status,
              0);
    engine().docker({"rm", "-f", "long"});
}

TEST_F(JobsTest, ContainersSurviveTheirEnginesDeath) {
    ASSERT_TRUE(engine().docker({"run", "-d", "--name", "long", "box", "sleep", "1000"}).ok());
    const auto restarted = engine().restart_dockerd();
    ASSERT_TRUE(restarted) << restarted.error().message();
    EXPECT_EQ(engine().docker({"inspect", "-f", "{{.State.Running}}", "long"}).text, "true\n");
    EXPECT_EQ(engine().docker({"exec", "long", "echo", "alive"}).text, "alive\n");
    engine().docker({"rm", "-f", "long"});
}

TEST_F(JobsTest, BindTheSocketIntoContainers) {
    EXPECT_THAT(box("printf 'GET /_ping HTTP/1.0\\r\\n\\r\\n' | nc local:/var/run/docker.sock || ls -l "
                    "/var/run/docker.sock",
                    {"-v", engine().inputs().socket + ":/var/run/docker.sock"})
                    .text,
                HasSubstr("srw"));
}

TEST_F(JobsTest, BuildsImages) {
    const auto work = engine().work_directory();
    engine().outside(
        "printf 'FROM box\\nRUN mkdir /d && echo one > /d/f && chown 1000:1000 /d/f\\nRUN rm -r /d && mkdir "
        "/d && echo two > /d/g\\n' > " +
        work + "/Dockerfile");
    const auto built = engine().as_job("DOCKER_BUILDKIT=0 docker build -q -t built .");
    EXPECT_EQ(built.status, 0) << built.text;
    EXPECT_EQ(engine().docker({"run", "--rm", "built", "sh", "-c", "ls /d"}).text, "g\n")
        << "whiteouts and opaque directories";
}

}  // namespace
}  // namespace supervisor::contain
