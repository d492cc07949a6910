// The steps of an image's build that scripts of images/ make, each on its own in a container of the base.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "e2e/fixture.hpp"

namespace e2e {
namespace {

using test_support::docker;
using test_support::lines;
using test_support::trimmed;
using ::testing::HasSubstr;

constexpr const char* kBase = "debian:trixie-slim";
constexpr const char* kContainer = "gocd-e2e-stages";

class Stages : public EndToEnd {
  protected:
    void SetUp() override {
        EndToEnd::SetUp();
        ASSERT_TRUE(docker({"image", "inspect", kBase}).ok()) << "tests/e2e/prepare makes it";
    }
    void TearDown() override { docker({"rm", "-f", kContainer}); }

    // A shell line in a container of the base that has the scripts where builds have them; the container
    // stays.
    static test_support::CommandResult run(const std::string& line) {
        docker({"rm", "-f", kContainer});
        Arguments words{"run",
                        "--name",
                        kContainer,
                        "--network",
                        "none",
                        "-e",
                        "SOURCE_DATE_EPOCH=1577836800",
                        "-v",
                        std::string(SOURCE_ROOT) + "/images/packages:/dev/images/packages:ro",
                        "-v",
                        std::string(SOURCE_ROOT) + "/images/stages:/dev/images/stages:ro",
                        "--entrypoint",
                        "sh"};
        if (const auto parent = test_support::cgroup_parent(); !parent.empty())
            words.push_back("--cgroup-parent=" + parent);
        words.insert(words.end(), {kBase, "-ec", line});
        return docker(words);
    }
};

// Dates that a package brings stay, whatever is made now has the one date, and nothing of the base is
// removed.
TEST_F(Stages, ALayerHasNoTraceOfItsRun) {
    const auto made = run(R"sh(cat >/tmp/step <<'END'
echo now >/var/log/step.log; echo now >/var/log/faillog; mkdir -p /run/adduser /opt/made
echo now >/opt/made/file; echo old >/opt/kept; touch -d 2019-05-05 /opt/kept
touch /var/lib/dpkg/status-old; ln -s file /opt/made/link
END
/dev/images/packages/layer sh -e /tmp/step
stat -c '%y %n' /opt/made /opt/made/file /opt/made/link /opt/kept /var/log | cut -c1-10
cat /var/log/step.log /var/log/faillog; ls -d /run/adduser 2>/dev/null || true)sh");
    ASSERT_TRUE(made.ok()) << made.text();
    EXPECT_EQ(made.out, "2020-01-01\n2020-01-01\n2020-01-01\n2019-05-05\n2020-01-01\n");
    for (const auto& line : lines(docker({"diff", kContainer}).out)) EXPECT_NE(line.front(), 'D') << line;
}

// What lies unchanged in an earlier layer is not in this one again.
TEST_F(Stages, ALayerThatMakesNothingIsEmpty) {
    const auto made = run("/dev/images/packages/layer true");
    ASSERT_TRUE(made.ok()) << made.text();
    EXPECT_EQ(docker({"diff", kContainer}).out, "");
}

// The first step that has both.
class AgentAndJava : public Stages {
  protected:
    static test_support::CommandResult with(const std::string& agent, const std::string& java,
                                            const std::string& step) {
        return run(
            "mkdir -p /jre /dev/images/agent/baked; echo jar >/dev/images/agent/baked/agent.jar; echo " +
            agent + " >/version; echo 'JAVA_VERSION=\"" + java +
            "\"' >/jre/release; GO_JAVA_HOME=/jre /dev/images/stages/" + step);
    }
};

TEST_F(AgentAndJava, ThatDoNotFitAreNamedInOneLine) {
    const auto refused = with("26.1.0", "17.0.19", "check-java /version");
    EXPECT_EQ(refused.status, 1) << refused.text();
    EXPECT_EQ(trimmed(refused.err),
              "agent: GoCD 26.1.0 needs Java 21 or later, and this base has Java 17: take "
              "another --base, or an older --gocd-version");
}

TEST_F(AgentAndJava, WithoutAnAotCacheAreBakedAllTheSame) {
    for (const auto& [agent, java] : {std::pair{"25.4.0", "17.0.19"}, {"26.1.0", "21.0.13"}}) {
        const auto checked = with(agent, java, "check-java /version");
        EXPECT_TRUE(checked.ok() && checked.out.empty()) << checked.text();
        const auto baked = with(agent, java, "bake-agent on");
        EXPECT_TRUE(baked.ok()) << baked.text();
        EXPECT_THAT(baked.out, HasSubstr("no AOT cache: Java " + std::string(java).substr(0, 2) +
                                         " cannot write one, 25 or later can"));
    }
}

}  // namespace
}  // namespace e2e
