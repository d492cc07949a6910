// The ways to start the image, and the statuses it ends with.
#include <gmock/gmock.h>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using test_support::docker;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Command : public EndToEnd {
  protected:
    // Runs the image in the foreground until it ends.
    static test_support::CommandResult run(const Arguments& options, const Arguments& command,
                                           const std::string& input = "") {
        Arguments argv{"docker", "run", "--rm", "-i"};
        argv.insert(argv.end(), options.begin(), options.end());
        argv.push_back(dind_image());
        argv.insert(argv.end(), command.begin(), command.end());
        return test_support::run_command(argv, {.timeout = seconds(90), .input = input, .environment = {}});
    }
};

TEST_F(Command, RunsAProgramWithTheEngineUpAndEndsWithItsStatus) {
    const auto result = run(
        {"--privileged"}, {"--", "sh", "-c", "docker version >/dev/null && echo client and server; exit 7"});
    EXPECT_EQ(result.status, 7) << result.text();
    EXPECT_THAT(result.out, HasSubstr("client and server"));
}

TEST_F(Command, TakesAProgramWithoutDashesAsTheOfficialImageDoes) {
    const auto result =
        run({"--privileged"}, {"sh", "-c", "docker info --format {{.ServerVersion}} && id -un"});
    EXPECT_TRUE(result.ok()) << result.text();
    EXPECT_THAT(result.out, HasSubstr("go\n"));
}

TEST_F(Command, TellsTheSignalThatEndedTheProgram) {
    EXPECT_EQ(run({"--privileged"}, {"--", "sh", "-c", "kill -9 $$"}).status, 128 + 9);
}

TEST_F(Command, AnswersADockerCommandInTheFirstMoments) {
    for (int attempt = 0; attempt < 3; ++attempt) {
        const auto result = run({"--privileged"}, {"--", "docker", "ps"});
        EXPECT_TRUE(result.ok()) << result.text();
        EXPECT_THAT(result.text(), Not(HasSubstr("Cannot connect")));
    }
}

TEST_F(Command, GivesAShellWithTheEngineUp) {
    const auto result = run({"--privileged"}, {"--shell"},
                            "docker version --format '{{.Server.Version}}' && id -un\nexit 3\n");
    EXPECT_EQ(result.status, 3) << result.text();
    EXPECT_THAT(result.out, HasSubstr("go\n"));
}

TEST_F(Command, GivesARootShellOnlyWhenAskedFor) {
    const auto result = run({"--privileged"}, {"--shell=root"}, "id -un\n");
    EXPECT_TRUE(result.ok()) << result.text();
    EXPECT_THAT(result.out, HasSubstr("root\n"));
}

TEST_F(Command, RefusesAnOptionItDoesNotKnow) {
    const auto result = run({"--privileged"}, {"--no-such-option"});
    EXPECT_EQ(result.status, 64) << result.text();
    EXPECT_THAT(result.err, HasSubstr("no-such-option"));
}

TEST_F(Command, NamesOptionValueAndWhatIsAcceptedForABadValue) {
    const auto result = run({"--privileged", "-e", "GOCD_DOCKER_MODE=sideways"}, {"--", "true"});
    EXPECT_EQ(result.status, 64) << result.text();
    EXPECT_THAT(result.err, HasSubstr("GOCD_DOCKER_MODE"));
    EXPECT_THAT(result.err, HasSubstr("sideways"));
    EXPECT_THAT(result.err, HasSubstr("dood"));
}

TEST_F(Command, SaysHowToStartItWhenItIsNotPrivileged) {
    const auto result = run({}, {"--", "true"});
    EXPECT_EQ(result.status, 71) << result.text();
    EXPECT_THAT(result.err, HasSubstr("--privileged"));
}

TEST_F(Command, SaysWhyTheEngineDidNotStart) {
    const auto result =
        run({"--privileged", "-e", "DOCKERD_ADDITIONAL_ARGS=--no-such-dockerd-flag"}, {"--", "sleep", "60"});
    EXPECT_EQ(result.status, 69) << result.text();
    EXPECT_THAT(result.err, HasSubstr("no-such-dockerd-flag"));
}

TEST_F(Command, DoctorExplainsAndChangesNothing) {
    const auto privileged = run({"--privileged"}, {"doctor"});
    EXPECT_TRUE(privileged.ok()) << privileged.text();
    EXPECT_THAT(privileged.out, HasSubstr("dind"));
    const auto plain = run({"--user", "1000:0"}, {"doctor"});
    EXPECT_THAT(plain.text(), HasSubstr("--privileged"));
    // Files with their times, mounts, cgroups, links; the lists themselves lie where nothing is compared.
    const auto compared = run({"--privileged", "--entrypoint", "sh", "-v", "/var/lib/docker"}, {"-c", R"sh(
        look() {
            find / /var/lib/docker /run /tmp -xdev -printf '%p %M %U:%G %s %T@\n' | sort
            cat /proc/self/mountinfo /proc/self/cgroup
            find /sys/fs/cgroup -type d | sort
            ls /sys/class/net; ls /dev; cat /proc/sys/net/ipv4/ip_forward
        }
        look >/dev/shm/before
        gocd-supervisor doctor >/dev/shm/report || exit 3
        look >/dev/shm/after
        grep -q storage /dev/shm/report && [ "$(wc -l </dev/shm/before)" -gt 1000 ] && diff /dev/shm/before /dev/shm/after &&
            touch /var/lib/docker/change && look >/dev/shm/changed && ! diff -q /dev/shm/after /dev/shm/changed)sh"});
    EXPECT_TRUE(compared.ok()) << compared.text();
}

TEST_F(Command, PrintsHelpWithFlagsAndVariables) {
    const auto help = run({}, {"--help"});
    EXPECT_TRUE(help.ok()) << help.text();
    EXPECT_THAT(help.out, HasSubstr("--mode"));
    EXPECT_THAT(help.out, HasSubstr("GOCD_DOCKER_MODE"));
}

TEST_F(Command, WorksBehindAnotherInit) {
    const auto result =
        run({"--privileged", "--init"}, {"--", "sh", "-c", "docker ps >/dev/null && echo fine"});
    EXPECT_TRUE(result.ok()) << result.text();
    EXPECT_THAT(result.out, HasSubstr("fine"));
}

TEST_F(Command, MergesADaemonJsonOfTheUser) {
    const auto result = run({"--privileged"}, {"--", "docker", "info", "--format", "{{.Debug}}"});
    EXPECT_THAT(result.out, HasSubstr("false")) << result.text();
    Container container(dind({"--entrypoint", "sh"},
                             {"-c",
                              "mkdir -p /etc/docker && echo '{\"debug\": true}' >/etc/docker/daemon.json && "
                              "exec gocd-supervisor -- docker info --format 'debug={{.Debug}}'"}));
    EXPECT_EQ(container.exit_status(seconds(60)), 0) << container.logs();
    EXPECT_THAT(container.logs(), HasSubstr("debug=true"));
}

TEST_F(Command, RefusesADaemonJsonThatContradictsIt) {
    Container container(
        dind({"--entrypoint", "sh"},
             {"-c",
              "mkdir -p /etc/docker && echo '{\"no-such-key\": 1}' >/etc/docker/daemon.json && "
              "exec gocd-supervisor -- sleep 60"}));
    EXPECT_THAT(container.exit_status(seconds(60)), AnyOf(64, 69, 71)) << container.logs();
    EXPECT_THAT(container.logs(), HasSubstr("no-such-key"));
}

}  // namespace
}  // namespace e2e
