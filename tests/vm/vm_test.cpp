// The DinD image on cgroup v2, under User-Mode Linux. tests/vm/init says what the machine gives a case.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "support/command.hpp"
#include "support/docker.hpp"

namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using test_support::docker;
using test_support::run_command;
using test_support::trimmed;
using ::testing::HasSubstr;
using ::testing::Not;

const fs::path kSource = SOURCE_ROOT;
const fs::path kCache = kSource / ".cache/vm";
// As in tests/e2e.
const char* const kImage =
    std::getenv("E2E_IMAGE") != nullptr ? std::getenv("E2E_IMAGE") : "gocd-agent-dind:test";

// The image's files as a folder, unpacked again when the image is another one.
::testing::AssertionResult unpack_image() {
    const std::string id = trimmed(docker({"image", "inspect", "--format", "{{.Id}}", kImage}).out);
    if (id.empty()) return ::testing::AssertionFailure() << kImage << " is not there: run tests/e2e/prepare";
    std::ifstream in(kCache / "image-id");
    std::string unpacked;
    std::getline(in, unpacked);
    if (unpacked == id) return ::testing::AssertionSuccess();
    const auto made =
        run_command({"bash", "-euo", "pipefail", "-c",
                     "rm -rf \"$1\"; mkdir -p \"$1/root\"; id=$(docker create \"$2\"); trap 'docker rm -v "
                     "$id >/dev/null' EXIT; "
                     "docker export $id | tar -x -C \"$1/root\"; mkdir -p \"$1/root/usr/lib/modules\"; "
                     "cp -a /usr/lib/uml/modules/* \"$1/root/usr/lib/modules/\"; cp \"$(command -v "
                     "busybox)\" \"$1/root/busybox-vm\"; "
                     "truncate -s 4G \"$1/data.img\"",
                     "unpack", kCache, kImage},
                    {.timeout = seconds(120), .input = "", .environment = {}});
    if (!made.ok()) return ::testing::AssertionFailure() << made.text();
    std::ofstream(kCache / "image-id") << id << '\n';
    return ::testing::AssertionSuccess();
}

class Vm : public ::testing::Test {
  protected:
    void SetUp() override {
        if (run_command({"sh", "-c", "command -v linux.uml && test -d /usr/lib/uml/modules"}).status != 0) {
            GTEST_SKIP() << "User-Mode Linux is not installed (package user-mode-linux)";
        }
        ASSERT_TRUE(unpack_image());
    }

    // Boots, runs the shell lines as cases, returns the console.
    static std::string boot(const std::string& cases) {
        const fs::path root = kCache / "root";
        fs::copy_file(kSource / "tests/vm/init", root / "vm-init", fs::copy_options::overwrite_existing);
        fs::copy_file(kSource / ".cache/inner/busybox.tar", root / "inner.tar",
                      fs::copy_options::overwrite_existing);
        fs::permissions(root / "vm-init", fs::perms::owner_all);
        std::ofstream(root / "vm-cases") << cases;
        run_command({"mkfs.ext4", "-q", "-F", kCache / "data.img"});
        const auto machine =
            run_command({"linux.uml", "mem=2000M", "rootfstype=hostfs", "rootflags=" + root.string(), "rw",
                         "init=/vm-init", "con=null", "con0=null,fd:1",
                         "ubda=" + (kCache / "data.img").string(), "quiet"},
                        {.timeout = seconds(200), .input = "", .environment = {}});
        EXPECT_THAT(machine.out, HasSubstr("vm: end")) << machine.text();
        return machine.out;
    }
};

TEST_F(Vm, IsOnCgroupV2WithEveryControllerThatMatters) {
    const std::string console = boot("in_container one sh -c 'cat /proc/self/cgroup'\n");
    EXPECT_THAT(console, HasSubstr("controllers cpu io memory pids"));
    EXPECT_THAT(console, HasSubstr("0::/\r"));
}

TEST_F(Vm, RunsInnerContainersAndStopsWithNothingLeft) {
    const std::string console = boot(R"sh(
in_container agent gocd-supervisor -- sh -c '
    docker version --format "engine {{.Server.Version}}" &&
    docker info --format "driver {{.Driver}} cgroup {{.CgroupVersion}}" &&
    docker load -qi /inner.tar &&
    docker run --rm inner-busybox:test echo said inside &&
    docker run --rm -m 64m inner-busybox:test cat /sys/fs/cgroup/memory.max &&
    docker run --rm --privileged inner-busybox:test echo privileged inside
    docker run --rm -m 16m inner-busybox:test sh -c "head -c 100000000 /dev/zero | tail >/dev/null"
    sleep 3
    gocd-supervisor events | grep "out of memory"
    docker run --rm --privileged inner-busybox:test sh -c "echo x >/proc/sys/kernel/core_pattern || echo setting refused"
    grep -E ^CapBnd /proc/self/status
    exit 5'
echo "vm: status $?"
left=$(left_in agent)
echo "vm: left [$left]"
)sh");
    EXPECT_THAT(console, HasSubstr("engine 2"));
    EXPECT_THAT(console, HasSubstr("driver overlay2 cgroup 2"));
    EXPECT_THAT(console, HasSubstr("said inside"));
    EXPECT_THAT(console, HasSubstr("67108864"));
    EXPECT_THAT(console, HasSubstr("privileged inside"));
    EXPECT_THAT(console, ::testing::ContainsRegex("killed [a-z]+ .process [0-9]+ of the machine. in cgroup "
                                                  "engine/containers/[0-9a-f]+: its memory limit"))
        << console;
    EXPECT_THAT(console, HasSubstr("containment userns"));
    EXPECT_THAT(console, HasSubstr("setting refused"));
    EXPECT_THAT(console, HasSubstr("CapBnd:\t0000000000000000"));
    EXPECT_THAT(console, HasSubstr("vm: status 5"));
    EXPECT_THAT(console, HasSubstr("vm: left []")) << console;
}

TEST_F(Vm, AnOrderedStopLeavesNothing) {
    const std::string console = boot(R"sh(
cat >/vm-job <<'END'
docker load -qi /inner.tar
for i in 1 2 3; do docker run -d inner-busybox:test sh -c 'trap "" TERM; while :; do sleep 1; done'; done
echo "vm: job runs"
touch /run/job-runs
sleep 300
END
cat >/vm-agent <<'END'
mkdir -p /run && chmod 1777 /run
gocd-supervisor -- sh /vm-job &
while [ ! -e /run/job-runs ] && kill -0 $!; do sleep 0.2; done
kill -TERM $!
wait $!
echo "vm: status $?"
END
in_container agent sh /vm-agent
left=$(left_in agent)
echo "vm: left [$left]"
)sh");
    EXPECT_THAT(console, HasSubstr("vm: job runs"));
    EXPECT_THAT(console, HasSubstr("vm: status 0"));
    EXPECT_THAT(console, HasSubstr("vm: left []")) << console;
}

TEST_F(Vm, C1_APodWithoutANamespaceLeavesTheNodesRootAlone) {
    const std::string console = boot(R"sh(
mkdir -p /sys/fs/cgroup/kubepods/one
ls /sys/fs/cgroup >/tmp/before
in_pod one gocd-supervisor -- sh -c 'docker load -qi /inner.tar && docker run --rm inner-busybox:test echo said inside; cat /proc/self/cgroup
    docker run --rm --privileged inner-busybox:test sh -c "echo x >/proc/sys/kernel/core_pattern || echo setting refused"
    docker run --rm -m 16m inner-busybox:test sh -c "head -c 100000000 /dev/zero | tail >/dev/null"; sleep 3; gocd-supervisor events'
ls /sys/fs/cgroup >/tmp/after
cmp /tmp/before /tmp/after && echo "vm: root untouched"
left=$(left_in kubepods/one)
echo "vm: left [$left]"
)sh");
    EXPECT_THAT(console, HasSubstr("said inside"));
    EXPECT_THAT(console, HasSubstr("containment userns"));
    EXPECT_THAT(console, HasSubstr("setting refused"));
    EXPECT_THAT(console, HasSubstr("0::/kubepods/one/agent"));
    EXPECT_THAT(console, HasSubstr("vm: root untouched"));
    EXPECT_THAT(console, ::testing::ContainsRegex(
                             "out of memory.*killed [a-z]+ .*containers/[0-9a-f]+: its memory limit"))
        << console;
    EXPECT_THAT(console, HasSubstr("vm: left []")) << console;
}

TEST_F(Vm, B4_ProcessesThatJoinDuringTheStartDoNotBreakIt) {
    const std::string console = boot(R"sh(
mkdir -p /sys/fs/cgroup/agent
( for i in $(seq 150); do sh -c 'echo 0 >/sys/fs/cgroup/agent/cgroup.procs && exec /busybox-vm usleep 20000'; done ) 2>/dev/null &
in_container agent gocd-supervisor -- sh -c 'docker load -qi /inner.tar && docker run --rm -m 64m inner-busybox:test echo said inside'
wait
)sh");
    EXPECT_THAT(console, HasSubstr("said inside")) << console;
}

}  // namespace
