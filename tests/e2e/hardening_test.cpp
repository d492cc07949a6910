// What a job may not do, seen from inside.
#include <gmock/gmock.h>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Printed by whatever runs as a job.
constexpr const char* kProbe =
    "grep -E '^(Cap|NoNewPrivs|Seccomp:|Uid|Gid)' /proc/self/status; ls /proc/self/fd | wc -l; id -Gn";

class Hardening : public EndToEnd {
  protected:
    static void expect_unprivileged(const std::string& seen) {
        for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
            EXPECT_THAT(seen, HasSubstr(std::string(set) + ":\t0000000000000000"));
        }
        EXPECT_THAT(seen, HasSubstr("NoNewPrivs:\t1"));
        EXPECT_THAT(seen, HasSubstr("Seccomp:\t2"));
        EXPECT_THAT(seen, HasSubstr("Uid:\t1000\t1000\t1000\t1000"));
        EXPECT_THAT(seen, HasSubstr("docker"));
    }

    static test_support::CommandResult run(const Arguments& command, const std::string& input = "") {
        Arguments argv{"docker", "run", "--rm", "-i", "--privileged", dind_image()};
        argv.insert(argv.end(), command.begin(), command.end());
        return test_support::run_command(argv, {.timeout = seconds(90), .input = input, .environment = {}});
    }
};

TEST_F(Hardening, HoldsForACommand) {
    expect_unprivileged(run({"--", "sh", "-c", kProbe}).out);
}

TEST_F(Hardening, HoldsForAShell) {
    expect_unprivileged(run({"--shell"}, std::string(kProbe) + "\n").out);
}

TEST_F(Hardening, KeepsNamespacesAndMountsAway) {
    const auto result =
        run({"--", "sh", "-c", "unshare -U true; echo $?; mount -t tmpfs none /mnt; echo $?"});
    EXPECT_THAT(result.out, Not(HasSubstr("0\n"))) << result.text();
    EXPECT_THAT(result.out, HasSubstr("1\n"));
}

TEST_F(Hardening, InheritsNothingButStdio) {
    // ls itself has the directory open: 0, 1, 2 and that one.
    EXPECT_THAT(run({"--", "sh", "-c", "ls /proc/self/fd | wc -l"}).out, HasSubstr("4\n"));
}

TEST_F(Hardening, F4_GivesTheSocketToTheDockerGroupAlone) {
    EXPECT_THAT(
        run({"--", "sh", "-c", "test -S /var/run/docker.sock && stat -c '%a %G' /var/run/docker.sock"}).out,
        HasSubstr("660 docker"));
}

}  // namespace
}  // namespace e2e
