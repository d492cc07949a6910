#include "proc/spawn.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fstream>

#include <cstdint>

#include "base/strings.hpp"
#include "proc/seccomp.hpp"
#include "sys/files.hpp"
#include "sys/unix_socket.hpp"

namespace supervisor::proc {
namespace {

using testing::HasSubstr;

class SpawnTest : public testing::Test {
  protected:
    SpawnTest() {
        sigset_t none;
        ::sigemptyset(&none);
        spawner = std::move(Spawner::create(none).value());
        plan.name = "probe";
        plan.environment = {"PATH=/usr/bin:/bin"};
    }

    // Runs a shell script under `plan` and returns what it printed; sets `code`.
    std::string run(const std::string& script) {
        plan.executable = "/bin/sh";
        plan.arguments = {"sh", "-c", script};
        auto pipe = std::move(sys::make_pipe().value());
        plan.descriptors.push_back({pipe.write.get(), 1});
        plan.descriptors.push_back({STDERR_FILENO, 2});
        auto child = spawner.spawn(plan);
        EXPECT_TRUE(child) << (child ? "" : child.error().message());
        if (!child) return {};
        pipe.write.reset();
        std::string text;
        char chunk[4096];
        for (ssize_t got; (got = ::read(pipe.read.get(), chunk, sizeof chunk)) > 0;)
            text.append(chunk, static_cast<std::size_t>(got));
        int status = 0;
        EXPECT_EQ(::waitpid(child->pid, &status, 0), child->pid);
        code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return text;
    }

    std::string status_line(const std::string& key) {
        return std::string(trim(run("grep ^" + key + ": /proc/self/status | cut -f2-")));
    }

    Spawner spawner;
    ChildPlan plan;
    int code = -1;
};

TEST_F(SpawnTest, InheritsNothingButWhatIsMapped) {
    const int leak = ::open("/dev/null", O_RDONLY);                 // deliberately without O_CLOEXEC
    EXPECT_EQ(run("ls /proc/self/fd | tr '\\n' ' '"), "0 1 2 3 ");  // 3 is ls reading the directory
    ::close(leak);
}

TEST_F(SpawnTest, MapsDescriptorsEvenWhereNumbersCross) {
    auto pipe = std::move(sys::make_pipe().value());
    const int a = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
    plan.descriptors = {{a, 4}, {pipe.read.get(), 3}};
    EXPECT_EQ(run("readlink /proc/self/fd/4; readlink /proc/self/fd/3 | cut -c1-4"), "/dev/zero\npipe\n");
    ::close(a);
}

TEST_F(SpawnTest, NamesTheStageThatFailed) {
    plan.executable = "/no/such/program";
    plan.arguments = {"program"};
    auto child = spawner.spawn(plan);
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().message(), "start probe: execute /no/such/program: No such file or directory");
    plan.executable = "/bin/true";
    plan.working_directory = "/no/such/directory";
    EXPECT_THAT(spawner.spawn(plan).error().message(),
                HasSubstr("change to the working directory /no/such/directory"));
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a failed child must have been reaped";
}

TEST_F(SpawnTest, TellsAMissingInterpreterFromAMissingFile) {
    const std::string script = ::testing::TempDir() + "/windows-script";
    std::ofstream(script) << "#!/bin/sh\r\necho hello\r\n";
    ::chmod(script.c_str(), 0755);
    plan.executable = script;
    EXPECT_THAT(spawner.spawn(plan).error().message(), HasSubstr("Windows line ends"));
    ::unlink(script.c_str());
}

TEST_F(SpawnTest, NamesTheLimitThatAFullCgroupHas) {
    const std::string group = "/sys/fs/cgroup/pids/gocd-spawn-test-" + std::to_string(::getpid());
    if (::mkdir(group.c_str(), 0755) != 0) GTEST_SKIP() << "no cgroup v1 hierarchy of pids to write to";
    std::ofstream(group + "/pids.max") << "1";
    std::ofstream(group + "/cgroup.procs") << ::getpid() << std::flush;
    const auto child = spawner.spawn(plan);
    std::ofstream("/sys/fs/cgroup/pids/cgroup.procs") << ::getpid() << std::flush;
    ::rmdir(group.c_str());
    ASSERT_FALSE(child);
    EXPECT_THAT(child.error().message(), HasSubstr("--pids-limit"));
}

TEST_F(SpawnTest, GivesTheChildItsOwnListenPid) {
    plan.listen_descriptors = 1;
    EXPECT_EQ(run("test \"$LISTEN_PID\" = $$ && echo $LISTEN_FDS"), "1\n");
}

TEST_F(SpawnTest, TakesEveryCapabilityAway) {
    plan.identity = Identity{1000, 0, {4, 24}};
    plan.capabilities = Capabilities::None;
    plan.no_new_privileges = true;
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
        EXPECT_EQ(status_line(set), "0000000000000000") << set;
    }
    EXPECT_EQ(status_line("NoNewPrivs"), "1");
    EXPECT_EQ(run("id -u; id -g; id -G"), "1000\n0\n0 4 24\n");
}

TEST_F(SpawnTest, CutsTheBoundingSetAlone) {
    constexpr std::uint64_t kKillAndChown = (1U << 5U) | 1U;
    plan.bounding_set = kKillAndChown;
    EXPECT_EQ(status_line("CapBnd"), "0000000000000021");
}

TEST_F(SpawnTest, LoadsTheSeccompFilterWithAndWithoutNoNewPrivileges) {
    auto program = compile({.denied = {"mkdir", "mkdirat"}, .hidden = {}, .deny_user_namespaces = true});
    ASSERT_TRUE(program);
    plan.seccomp = std::make_shared<SeccompProgram>(std::move(*program));
    for (const bool no_new_privileges : {true, false}) {
        plan.no_new_privileges = no_new_privileges;
        EXPECT_EQ(status_line("Seccomp"), "2");
        run("mkdir /tmp/seccomp-probe 2>/dev/null");
        EXPECT_NE(code, 0);
        run("unshare --user true 2>/dev/null");
        EXPECT_NE(code, 0);
    }
}

TEST_F(SpawnTest, ChildrenGetTheMaskAndDefaultDispositions) {
    ::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(status_line("SigIgn"), "0000000000000000");
    EXPECT_EQ(status_line("SigBlk"), "0000000000000000");
    ::signal(SIGPIPE, SIG_DFL);
}

TEST_F(SpawnTest, AHigherLimitThanAllowedBecomesTheHighestAllowed) {
    plan.limits = {{RLIMIT_NOFILE, 1024, 524'288}};
    EXPECT_EQ(run("ulimit -Sn"), "1024\n");
}

TEST_F(SpawnTest, IsBornInItsPidNamespaceAndTheParentStaysInItsOwn) {
    const pid_t holder = ::fork();
    if (holder == 0) {
        if (::unshare(CLONE_NEWPID) != 0) ::_exit(1);
        const pid_t init = ::fork();
        if (init == 0) {
            for (;;) ::pause();
        }
        ::waitpid(init, nullptr, 0);
        ::_exit(0);
    }
    std::string children;
    while (children.empty()) {
        children = sys::read_file_or("/proc/" + std::to_string(holder) + "/task/" + std::to_string(holder) +
                                     "/children");
    }
    const std::string init(trim(children));
    auto ns = sys::open_file("/proc/" + init + "/ns/pid", O_RDONLY);
    ASSERT_TRUE(ns);
    plan.pid_namespace = ns->get();
    EXPECT_EQ(run("echo $$"), "2\n");
    plan.pid_namespace = -1;
    EXPECT_NE(run("echo $$"), "3\n");
    ::kill(static_cast<pid_t>(*parse_unsigned(init)), SIGKILL);
    ::waitpid(holder, nullptr, 0);
}

TEST(FindExecutable, SearchesThePathOfTheEnvironment) {
    EXPECT_EQ(find_executable("sh", {"PATH=/nowhere:/bin"}).value(), "/bin/sh");
    EXPECT_EQ(find_executable("./x", {}).value(), "./x");
    EXPECT_FALSE(find_executable("sh", {"PATH=/nowhere"}));
}

}  // namespace
}  // namespace supervisor::proc
