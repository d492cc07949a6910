// The image on hosts that are not as one would like them: storage, rights, addresses, state of a predecessor.
#include <gmock/gmock.h>
#include <stdlib.h>

#include <fstream>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using test_support::docker;
using test_support::Network;
using test_support::run_command;
using test_support::trimmed;
using test_support::Volume;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

const Arguments kSleep = {"--", "sleep", "600"};

class Host : public EndToEnd {
  protected:
    // The inner engine's storage driver, after a container has run and an image with a deletion was built.
    static std::string working_driver(const Container& agent) {
        if (!becomes_healthy(agent)) return "not healthy: " + agent.logs();
        if (!load_inner_image(agent)) return "image not loaded: " + agent.logs();
        const auto built = agent.exec(
            {"sh", "-c",
             "printf 'FROM inner-busybox:test\\nRUN touch /a\\nRUN rm /a\\n' | docker build -q -t made -"});
        if (!built.ok()) return "not built: " + built.text();
        const auto run =
            agent.exec({"docker", "run", "--rm", "made", "sh", "-c", "! ls /a 2>/dev/null && echo fine"});
        if (run.out != "fine\n") return "not run: " + run.text();
        return trimmed(agent.exec({"docker", "info", "--format", "{{.Driver}}"}).out);
    }

    // Options of the smallest set of rights that is documented.
    static ContainerOptions less_than_privileged(const Arguments& without = {}, const Arguments& more = {}) {
        ContainerOptions options = dind(more, kSleep);
        std::erase(options.options, "--privileged");
        const std::vector<Arguments> rights = {{"--cap-add", "SYS_ADMIN"},
                                               {"--cap-add", "NET_ADMIN"},
                                               {"--security-opt", "seccomp=unconfined"},
                                               {"--security-opt", "apparmor=unconfined"}};
        for (const auto& right : rights) {
            if (right != without) options.options.insert(options.options.end(), right.begin(), right.end());
        }
        return options;
    }
};

TEST_F(Host, DataInsideTheContainerTakesFuseOverlayfs) {
    const Container agent(dind({"-e", "GOCD_DOCKER_DATA_ROOT=/inside"}, kSleep));
    EXPECT_EQ(working_driver(agent), "fuse-overlayfs") << agent.logs();
    EXPECT_THAT(agent.logs(), HasSubstr("lost with it"));
}

TEST_F(Host, DataInMemoryTakesOverlay) {
    const Container agent(dind({"-e", "GOCD_DOCKER_DATA_ROOT=/memory", "--tmpfs", "/memory:exec"}, kSleep));
    EXPECT_EQ(working_driver(agent), "overlay2") << agent.logs();
}

TEST_F(Host, CopyingDriverOnlyWhenAskedForAndLoudly) {
    const Container agent(dind({"-e", "DOCKER_DRIVER=vfs"}, kSleep));
    EXPECT_EQ(working_driver(agent), "vfs") << agent.logs();
    EXPECT_THAT(agent.logs(), HasSubstr("copies every layer"));
}

TEST_F(Host, DriverThatCannotWorkIsRefusedWithTheReason) {
    const Container agent(
        dind({"-e", "GOCD_DOCKER_DATA_ROOT=/inside", "-e", "DOCKER_DRIVER=overlay2"}, kSleep));
    EXPECT_EQ(agent.exit_status(seconds(30)), 71);
    EXPECT_THAT(agent.logs(), HasSubstr("refuses to carry overlay layers"));
}

// File systems in an image file, mounted on the host and given as a volume.
struct LoopCase {
    const char* name;
    std::vector<std::string> mkfs;
    const char* driver;
};

class HostFileSystem : public Host, public ::testing::WithParamInterface<LoopCase> {
  protected:
    void SetUp() override {
        Host::SetUp();
        if (IsSkipped()) return;
        if (!run_command({"sh", "-c", "command -v " + GetParam().mkfs.front()}).ok())
            GTEST_SKIP() << GetParam().mkfs.front() << " is not installed";
        char name[] = "/var/tmp/host-test-XXXXXX";
        folder_ = ::mkdtemp(name);
        auto make = GetParam().mkfs;
        make.push_back(folder_ + "/image");
        ASSERT_TRUE(run_command({"truncate", "-s", "600M", folder_ + "/image"}).ok());
        ASSERT_TRUE(run_command(make).ok());
        ASSERT_TRUE(run_command({"mkdir", folder_ + "/mount"}).ok());
        mounted_ = run_command({"mount", "-o", "loop", folder_ + "/image", folder_ + "/mount"});
        if (!mounted_.ok()) GTEST_SKIP() << "cannot mount it here: " << mounted_.err;
    }
    void TearDown() override {
        if (folder_.empty()) return;
        (void)run_command({"umount", folder_ + "/mount"});
        (void)run_command({"rm", "-rf", "--one-file-system", folder_});
    }
    std::string folder_;
    test_support::CommandResult mounted_;
};

TEST_P(HostFileSystem, CarriesTheEngine) {
    Container agent(dind({"-v", folder_ + "/mount:/var/lib/docker"}, kSleep));
    EXPECT_EQ(working_driver(agent), GetParam().driver) << agent.logs();
    agent.remove();
}

INSTANTIATE_TEST_SUITE_P(OnA, HostFileSystem,
                         ::testing::Values(LoopCase{"Ext4", {"mkfs.ext4", "-q"}, "overlay2"},
                                           LoopCase{"Xfs", {"mkfs.xfs", "-q"}, "overlay2"},
                                           LoopCase{"Btrfs", {"mkfs.btrfs", "-q"}, "overlay2"}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_F(Host, TheDocumentedRightsAreEnough) {
    const Container agent(less_than_privileged());
    EXPECT_EQ(working_driver(agent), "overlay2") << agent.logs();
    const auto limited =
        agent.exec({"docker", "run", "--rm", "-m", "32m", "-p", "8080:80", "inner-busybox:test", "id"});
    EXPECT_TRUE(limited.ok()) << limited.text();
}

TEST_F(Host, EachOfTheRightsIsNamedWhenItIsMissing) {
    const std::vector<std::pair<Arguments, const char*>> cases = {
        {{"--cap-add", "SYS_ADMIN"}, "CAP_SYS_ADMIN"},
        {{"--cap-add", "NET_ADMIN"}, "CAP_NET_ADMIN"},
        {{"--security-opt", "seccomp=unconfined"}, "seccomp=unconfined"}};
    for (const auto& [without, name] : cases) {
        const Container agent(less_than_privileged(without));
        EXPECT_EQ(agent.exit_status(seconds(30)), 71) << name;
        EXPECT_THAT(agent.logs(), HasSubstr(name));
    }
    for (const char* dropped : {"MKNOD", "SETUID", "SYS_CHROOT"}) {
        const Container agent(less_than_privileged({}, {"--cap-drop", dropped}));
        EXPECT_EQ(agent.exit_status(seconds(30)), 71) << dropped;
        EXPECT_THAT(agent.logs(), HasSubstr(std::string("CAP_") + dropped));
    }
}

TEST_F(Host, ReadOnlyRootIsEnough) {
    const Container agent(dind({"--read-only", "--tmpfs", "/root"}, kSleep));
    EXPECT_EQ(working_driver(agent), "overlay2") << agent.logs();
}

TEST_F(Host, BridgesKeepAwayFromTheOuterNetwork) {
    const Network network("range", {"--subnet", "172.17.0.0/16"});
    if (!docker({"network", "inspect", network.name()}).ok()) GTEST_SKIP() << "172.17.0.0/16 is in use here";
    const Container agent(dind({"--network", network.name()}, kSleep));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    for (const char* made : {"one", "two"})
        EXPECT_TRUE(agent.exec({"docker", "network", "create", made}).ok());
    const auto ranges = agent.exec({"sh", "-c",
                                    "docker network inspect -f '{{range .IPAM.Config}}{{.Subnet}} {{end}}' "
                                    "$(docker network ls -q -f driver=bridge)"});
    EXPECT_THAT(ranges.out, Not(HasSubstr("172.17."))) << ranges.text();
    EXPECT_THAT(ranges.out, HasSubstr("172.18.")) << ranges.text();
}

TEST_F(Host, APoolGivesEveryAgentASlotOfItsOwnAndAWarmOneLater) {
    const Volume pool("pool");
    const auto agent_of_pool = [&] {
        return dind({"-v", pool.name() + ":/pool", "-e", "GOCD_DOCKER_DATA_POOL=/pool"}, kSleep);
    };
    const auto root_of = [](const Container& agent) {
        return trimmed(agent.exec({"docker", "info", "--format", "{{.DockerRootDir}}"}).out);
    };
    Container first(agent_of_pool());
    ASSERT_TRUE(becomes_healthy(first)) << first.logs();
    Container second(agent_of_pool());
    ASSERT_TRUE(becomes_healthy(second)) << second.logs();
    ASSERT_TRUE(load_inner_image(first));
    const auto warm = root_of(first);
    EXPECT_NE(warm, root_of(second));
    first.stop(10);
    first.remove();
    const Container third(agent_of_pool());
    ASSERT_TRUE(becomes_healthy(third)) << third.logs();
    EXPECT_EQ(root_of(third), warm);
    EXPECT_TRUE(third.exec({"docker", "image", "inspect", "inner-busybox:test"}).ok());
}

TEST_F(Host, StartsCleanAfterEveryKill) {
    const Volume data("killed");
    for (int round = 0; round < 5; ++round) {
        Container agent(dind({"-v", data.name() + ":/var/lib/docker"}, kSleep));
        ASSERT_TRUE(becomes_healthy(agent)) << "round " << round << "\n" << agent.logs();
        if (round == 0) {
            ASSERT_TRUE(load_inner_image(agent));
        }
        const auto run = agent.exec({"docker", "run", "-d", "inner-busybox:test", "sleep", "600"});
        ASSERT_TRUE(run.ok()) << "round " << round << "\n" << run.text();
        agent.signal("KILL");
        ASSERT_EQ(agent.exit_status(seconds(20)), 137);
        agent.remove();
    }
}

TEST_F(Host, ABrokenNetworkDatabaseIsSetAsideAndNamed) {
    const Volume data("broken");
    const Arguments options = {"-v", data.name() + ":/var/lib/docker"};
    {
        Container agent(dind(options, kSleep));
        ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
        agent.stop(10);
    }
    // Wherever the engine keeps its data below the volume.
    const auto broken = docker({"run", "--rm", "-v", data.name() + ":/d", "inner-busybox:test", "sh", "-c",
                                "for f in $(find /d -name local-kv.db); do echo garbage >$f; echo $f; done"});
    ASSERT_THAT(broken.out, HasSubstr("local-kv.db")) << broken.text();
    const Container agent(dind(options, kSleep));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    EXPECT_THAT(agent.logs(), HasSubstr("local-kv.db.broken-"));
}

TEST_F(Host, LimitOfAllContainersHoldsAndTheEngineSurvives) {
    const Container agent(dind({"-e", "GOCD_DOCKER_CONTAINERS_MEMORY_MAX=64m"}, kSleep));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    ASSERT_TRUE(load_inner_image(agent));
    const auto greedy = agent.exec({"docker", "run", "--rm", "inner-busybox:test", "sh", "-c",
                                    "head -c 200000000 /dev/zero | tail >/dev/null; echo status $?"});
    EXPECT_THAT(greedy.out, AnyOf(HasSubstr("status 137"), ::testing::IsEmpty())) << greedy.text();
    EXPECT_TRUE(agent.exec({"docker", "run", "--rm", "inner-busybox:test", "true"}).ok());
}

TEST_F(Host, MirrorsAndInsecureRegistriesReachTheEngine) {
    const Container agent(dind({"-e", "GOCD_DOCKER_REGISTRY_MIRRORS=https://mirror.example", "-e",
                                "GOCD_DOCKER_INSECURE_REGISTRIES=registry.example:5000"},
                               kSleep));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    const auto info = agent.exec({"docker", "info", "--format", "{{json .RegistryConfig}}"});
    EXPECT_THAT(info.out, HasSubstr("https://mirror.example/"));
    EXPECT_THAT(info.out, HasSubstr("registry.example:5000"));
}

}  // namespace
}  // namespace e2e
