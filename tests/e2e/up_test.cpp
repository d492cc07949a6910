// images/up, the first command that anybody types: what it shows, what it starts, and that --down takes it
// all away.
#include <gmock/gmock.h>

#include <filesystem>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;
using test_support::docker;
using test_support::run_command;
using ::testing::HasSubstr;

const std::string kRoot = SOURCE_ROOT;

class Up : public EndToEnd {
  protected:
    void TearDown() override { run_command({kRoot + "/images/up", "--down"}); }

    static void take_down() {
        const auto down = run_command({kRoot + "/images/up", "--down"});
        EXPECT_TRUE(down.ok()) << down.text();
        EXPECT_FALSE(docker({"inspect", "gocd-agent-up"}).ok());
        for (const char* tag : {"gocd-agent-dind:demo", "gocd-agent-dind:dev"})
            EXPECT_FALSE(docker({"image", "inspect", tag}).ok()) << tag;
        EXPECT_FALSE(fs::exists(kRoot + "/.cache/up"));
        // Not its engine: it was there before.
        EXPECT_TRUE(docker({"version"}).ok());
    }
};

// On a terminal, as a person has it: the job's output, then a shell where jobs run.
TEST_F(Up, ShowsAJobThatBuildsAndRunsAContainerAndEndsInAShell) {
    const auto up = run_command(
        {"script", "-qec", kRoot + "/images/up", "/dev/null"},
        {.timeout = seconds(240),
         .input = "echo \"shell of $(id -un) with $(docker version --format {{.Server.Os}})\"; exit\n",
         .environment = {}});
    ASSERT_TRUE(up.ok()) << up.text();
    EXPECT_THAT(up.out, HasSubstr("| built and run inside"));
    EXPECT_THAT(up.out, HasSubstr("shell of go with linux"));
    EXPECT_THAT(up.out, HasSubstr("docker logs -f gocd-agent-up"));
    take_down();
}

TEST_F(Up, StartsAnAgentOfTheServerThatIsNamed) {
    const StubServer server({"--key", "the-key", "--job", "docker version"});
    ASSERT_NE(server.url(), "");
    const auto zip = run_command({"sh", "-c", "ls " + kRoot + "/.cache/stand-in/go-agent-*.zip"});
    const auto up =
        run_command({kRoot + "/images/up", "--agent-zip", test_support::trimmed(zip.out)},
                    {.timeout = seconds(240),
                     .input = "",
                     .environment = {"GO_SERVER_URL=" + server.url(), "AGENT_AUTO_REGISTER_KEY=the-key"}});
    ASSERT_TRUE(up.ok()) << up.text();
    EXPECT_THAT(up.err, HasSubstr("the agent works for " + server.url()));
    EXPECT_TRUE(server.wait_for_record("job_completed", seconds(60))) << server.record();
    EXPECT_THAT(server.record(), HasSubstr("\"result\":\"Passed\""));
    take_down();
}

}  // namespace
}  // namespace e2e
