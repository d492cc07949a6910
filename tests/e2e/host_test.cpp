// The image on hosts that are not as one would like them: storage, rights, addresses, state of a predecessor.
#include <gmock/gmock.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
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
                                           LoopCase{"Btrfs", {"mkfs.btrfs", "-q"}, "overlay2"},
                                           // As xfs with ftype=0, which kernels no longer mount: no d_type.
                                           LoopCase{"A5_Ext4WithoutFileTypes",
                                                    {"mkfs.ext4", "-q", "-O", "^filetype"},
                                                    "fuse-overlayfs"}),
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
    // What an engine gives to every container by itself.
    for (const char* dropped :
         {"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
          "NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP"}) {
        const Container agent(less_than_privileged({}, {"--cap-drop", dropped}));
        EXPECT_EQ(agent.exit_status(seconds(30)), 71) << dropped;
        EXPECT_THAT(agent.logs(), HasSubstr(std::string("CAP_") + dropped));
    }
}

TEST_F(Host, TheMissingDeviceIsNamedWhereFuseOverlayfsNeedsIt) {
    const Container agent(
        less_than_privileged({}, {"-e", "GOCD_DOCKER_DATA_ROOT=/inside", "-e", "GOCD_DOCKER_CONTAINMENT=off",
                                  "-e", "DOCKER_DRIVER=fuse-overlayfs"}));
    EXPECT_EQ(agent.exit_status(seconds(30)), 71);
    EXPECT_THAT(agent.logs(), HasSubstr("--device /dev/fuse"));
    const Container given(
        less_than_privileged({}, {"-e", "GOCD_DOCKER_DATA_ROOT=/inside", "--device", "/dev/fuse"}));
    EXPECT_EQ(working_driver(given), "fuse-overlayfs") << given.logs();
}

TEST_F(Host, WithoutABridgeOrAFilterOnRequestContainersStillRun) {
    const Container agent(dind({"-e", "DOCKERD_ADDITIONAL_ARGS=--bridge=none --iptables=false"}, kSleep));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    ASSERT_TRUE(load_inner_image(agent));
    for (const char* network : {"none", "host"}) {
        const auto run =
            agent.exec({"docker", "run", "--rm", "--network", network, "inner-busybox:test", "echo", "ran"});
        EXPECT_EQ(run.out, "ran\n") << network << run.text();
    }
    EXPECT_THAT(agent.logs(), HasSubstr("bridge: none"));
}

// Groups of ours that do not lie below a container's own, in a hierarchy of cgroup version 1.
std::string stray_groups(const std::string& hierarchy) {
    std::string found;
    for (const char* name : {"supervisor", "engine", "agent", "containers"}) {
        const std::string path = "/sys/fs/cgroup/" + hierarchy + "/" + name;
        if (run_command({"test", "-d", path}).ok()) found += path + " ";
    }
    return found;
}

TEST_F(Host, B6_AMissingHierarchyIsMountedAndLeavesNothingOnTheHost) {
    // Version 2 has one tree only: nothing can be missing.
    if (!run_command({"test", "-d", "/sys/fs/cgroup/systemd"}).ok()) return;
    ASSERT_EQ(stray_groups("systemd"), "");
    Container agent(dind({"-e", "GOCD_DOCKER_CONTAINMENT=off", "--entrypoint", "sh"},
                         {"-c", "umount /sys/fs/cgroup/systemd && exec gocd-supervisor -- sleep 600"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    ASSERT_TRUE(load_inner_image(agent));
    const auto run = agent.exec({"docker", "run", "-d", "inner-busybox:test", "sleep", "600"});
    EXPECT_TRUE(run.ok()) << run.text() << agent.logs();
    // What is mounted is the container's own part, and so is what runc makes in it.
    const auto mount = agent.exec({"grep", " /sys/fs/cgroup/systemd ", "/proc/self/mountinfo"});
    EXPECT_THAT(mount.out, HasSubstr(" /sys/fs/cgroup/systemd ")) << mount.text();
    EXPECT_EQ(stray_groups("systemd"), "") << mount.text();
    agent.signal("KILL");
    ASSERT_EQ(agent.exit_status(seconds(20)), 137);
    EXPECT_EQ(stray_groups("systemd"), "");
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

TEST_F(Host, SlotsBeyondThePoolsSizeAreRemovedAlsoAfterTheRemoverWasKilled) {
    const Volume pool("discarded");
    // What a contained engine leaves: ids of no user, directories that nobody but root may enter.
    const auto filled = docker(
        {"run", "--rm", "-v", pool.name() + ":/pool", "inner-busybox:test", "sh", "-c",
         "cd /pool && mkdir -p slot-0 slot-1/work slot-2/many && touch slot-1/work/file && cd slot-2/many && "
         "seq 1 100000 | xargs touch && chown -R 231073:231073 /pool/slot-1 && chmod 0 /pool/slot-1/work"});
    ASSERT_TRUE(filled.ok()) << filled.text();
    const Container agent(dind({"-v", pool.name() + ":/pool", "-e", "GOCD_DOCKER_DATA_POOL=/pool", "-e",
                                "GOCD_DOCKER_DATA_POOL_MAX=1"},
                               kSleep));
    const auto killed =
        agent.exec({"sh", "-c",
                    "while :; do for p in /proc/[0-9]*; do if grep -qs internal-remove-data $p/cmdline && "
                    "[ ${p#/proc/} != $$ ]; then cat $p/stat; grep -E '^Cap(Eff|Bnd)' $p/status; kill -9 "
                    "${p#/proc/} && exit 0; fi; "
                    "done; done"},
                   seconds(60));
    ASSERT_TRUE(killed.ok()) << killed.text() << agent.logs();
    EXPECT_THAT(killed.out, HasSubstr("CapBnd:\t000000000000000a")) << killed.text();
    const auto left = agent.exec({"sh", "-c", "find /pool -path '*/discarded-slot-*/many/*' | wc -l"});
    ASSERT_GT(std::atoi(left.out.c_str()), 0) << "it was killed too late: " << left.text();
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    ASSERT_TRUE(docker({"restart", agent.name()}).ok());
    const auto only_ours = [&] { return trimmed(agent.exec({"ls", "/pool"}).out) == "slot-0"; };
    EXPECT_TRUE(test_support::eventually(only_ours, seconds(60)))
        << agent.exec({"ls", "-la", "/pool"}).text() << agent.logs();
    EXPECT_THAT(agent.logs(), HasSubstr("data pool: removed /pool/discarded-slot-2-"));
}

int rounds_from_environment(const char* name, int otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::atoi(text);
}

long median(std::vector<long> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[values.size() / 2];
}

// Milliseconds from `docker run` until the engine answers.
long time_to_first_answer(Container& agent) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(agent.exec({"docker", "version"}, seconds(60)).ok()) << agent.logs();
    return static_cast<long>(
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin)
            .count());
}

// HOST_TEST_KILLS: how often; the ratio is printed for the record.
TEST_F(Host, StartsCleanAndAsFastAsAFreshOneAfterEveryKill) {
    const int kills = rounds_from_environment("HOST_TEST_KILLS", 6);
    const auto fresh_or_killed = [](const Volume& data) {
        return dind({"-v", data.name() + ":/var/lib/docker"}, kSleep);
    };
    std::vector<long> fresh;
    for (int round = 0; round < std::max(3, kills / 3); ++round) {
        const Volume data("fresh" + std::to_string(round));
        Container agent(fresh_or_killed(data));
        fresh.push_back(time_to_first_answer(agent));
        agent.remove();
    }
    const Volume data("killed");
    std::vector<long> after_kill;
    for (int round = 0; round <= kills; ++round) {
        Container agent(fresh_or_killed(data));
        const auto took = time_to_first_answer(agent);
        if (round > 0) after_kill.push_back(took);
        ASSERT_TRUE(becomes_healthy(agent)) << "round " << round << "\n" << agent.logs();
        ASSERT_TRUE(round > 0 || load_inner_image(agent));
        EXPECT_THAT(agent.logs(), Not(HasSubstr("set aside"))) << "round " << round;
        const auto run = agent.exec({"docker", "run", "-d", "inner-busybox:test", "sleep", "600"});
        ASSERT_TRUE(run.ok()) << "round " << round << "\n" << run.text();
        agent.signal("KILL");
        ASSERT_EQ(agent.exit_status(seconds(20)), 137);
        agent.remove();
    }
    const auto ratio =
        static_cast<double>(median(after_kill)) / static_cast<double>(std::max(1L, median(fresh)));
    std::printf("after a kill %ld ms, fresh %ld ms: ratio %.2f (medians of %zu and %zu)\n",
                median(after_kill), median(fresh), ratio, after_kill.size(), fresh.size());
    EXPECT_LE(ratio, 2.5);
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

TEST_F(Host, AJobThatForksWithoutEndLeavesTheEngineAble) {
    // The inner shell ends where it cannot fork; what it started stays.
    const Container agent(dind({"--pids-limit", "400"},
                               {"sh", "-c", "(while :; do sleep 1000 & done); echo full; exec sleep 1000"}));
    ASSERT_TRUE(agent.wait_for_log("full", seconds(60))) << agent.logs();
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    ASSERT_TRUE(load_inner_image(agent));
    const auto next = agent.exec({"docker", "run", "--rm", "inner-busybox:test", "echo", "works"});
    EXPECT_THAT(next.out, HasSubstr("works")) << next.text() << agent.logs();
}

TEST_F(Host, LimitOfAllContainersHoldsAndTheEngineSurvives) {
    const Container agent(dind({"-e", "GOCD_DOCKER_CONTAINERS_MEMORY_MAX=64m"}, kSleep));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    ASSERT_TRUE(load_inner_image(agent));
    const auto greedy = agent.exec({"docker", "run", "--rm", "inner-busybox:test", "sh", "-c",
                                    "head -c 200000000 /dev/zero | tail >/dev/null; echo status $?"});
    EXPECT_THAT(greedy.out, AnyOf(HasSubstr("status 137"), ::testing::IsEmpty())) << greedy.text();
    const auto reported = [&] {
        return agent.logs().find("out of memory: the kernel killed") != std::string::npos;
    };
    EXPECT_TRUE(test_support::eventually(reported, seconds(20))) << agent.logs();
    EXPECT_THAT(agent.logs(),
                ::testing::ContainsRegex(
                    "killed (tail|head|sh) \\(process [0-9]+ of the machine\\) in cgroup "
                    "(engine/)?containers/[0-9a-f]+: the memory limit of .*/containers was hit"));
    EXPECT_TRUE(agent.exec({"docker", "run", "--rm", "inner-busybox:test", "true"}).ok());
}

TEST_F(Host, AnOomKillInAContainersOwnLimitAndInAJobIsReportedWithItsVictim) {
    const Container agent(
        dind({"-e", "GOCD_AGENT_MEMORY_MAX=128m"},
             {"--", "sh", "-c", "head -c 300000000 /dev/zero | tail >/dev/null; sleep 600"}));
    ASSERT_TRUE(becomes_healthy(agent)) << agent.logs();
    ASSERT_TRUE(load_inner_image(agent));
    (void)agent.exec({"docker", "run", "--rm", "-m", "16m", "inner-busybox:test", "sh", "-c",
                      "head -c 200000000 /dev/zero | tail >/dev/null"});
    const auto reported = [&](const char* pattern) {
        return test_support::eventually(
            [&] {
                const auto events = agent.exec({"gocd-supervisor", "events"}).out;
                return ::testing::Value(events, ::testing::ContainsRegex(pattern));
            },
            seconds(20));
    };
    EXPECT_TRUE(reported("killed tail .* in cgroup agent: its memory limit was hit")) << agent.logs();
    EXPECT_TRUE(
        reported("killed [a-z]+ .* in cgroup (engine/)?containers/[0-9a-f]+: its memory limit was hit"))
        << agent.logs();
}

// An engine asked to keep images in containerd's store, as engines since 29 do by themselves.
class ImageStore : public Host, public ::testing::WithParamInterface<const char*> {
  protected:
    void SetUp() override {
        Host::SetUp();
        std::ofstream(file_) << R"({"features": {"containerd-snapshotter": true}})";
    }
    void TearDown() override { (void)std::remove(file_.c_str()); }

    Arguments with_store(const Arguments& more) const {
        Arguments options = {"-v", file_ + ":/etc/docker/daemon.json:ro", "-e",
                             std::string("GOCD_DOCKER_CONTAINMENT=") + GetParam()};
        options.insert(options.end(), more.begin(), more.end());
        return options;
    }
    const std::string file_ = "/var/tmp/host-test-daemon-" + std::to_string(::getpid()) + ".json";
};

TEST_P(ImageStore, WorksOnAVolume) {
    const Container agent(dind(with_store({}), kSleep));
    EXPECT_EQ(working_driver(agent), "overlayfs") << agent.logs();
}

TEST_P(ImageStore, WorksInMemory) {
    const Container agent(
        dind(with_store({"-e", "GOCD_DOCKER_DATA_ROOT=/memory", "--tmpfs", "/memory:exec"}), kSleep));
    EXPECT_EQ(working_driver(agent), "overlayfs") << agent.logs();
}

TEST_P(ImageStore, A2_IsRefusedWithTheReasonWhereOverlayCannotWork) {
    // A contained engine cannot have its data there at all and says that first.
    const bool contained = GetParam() == std::string("userns");
    const Container agent(dind(with_store({"-e", "GOCD_DOCKER_DATA_ROOT=/inside"}), kSleep));
    EXPECT_EQ(agent.exit_status(seconds(30)), 71);
    EXPECT_THAT(
        agent.logs(),
        HasSubstr(
            contained
                ? "the file system of the data directory, overlay, cannot be id-mapped"
                : "the image store of containerd is asked for by /etc/docker/daemon.json, but on /inside"));
}

INSTANTIATE_TEST_SUITE_P(With, ImageStore, ::testing::Values("userns", "off"),
                         [](const auto& test) { return std::string(test.param); });

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
