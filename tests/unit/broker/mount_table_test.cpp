#include <gmock/gmock.h>

#include "broker/rules/mount_table.hpp"
#include "broker/self.hpp"

namespace supervisor::broker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A resolver over a literal table of links.
PathResolver resolver(std::map<std::string, std::string> links = {}) {
    return [links = std::move(links)](const std::string& path) -> Result<sys::ResolvedPath> {
        const auto it = links.find(path);
        return sys::ResolvedPath{it == links.end() ? path : it->second, true};
    };
}

MountTable table(std::map<std::string, std::string> links = {}) {
    return MountTable({{"/godata", "/var/lib/docker/volumes/g/_data", true},
                       {"/godata/cache", "/srv/cache", true},
                       {"/readonly", "/srv/ro", false},
                       {"/var/run/docker.sock", "/var/run/docker.sock", true}},
                      {"/proc", "/run/gocd-supervisor", "/var/run/docker.sock"}, resolver(std::move(links)));
}

TEST(MountTable, TranslatesByTheLongestMount) {
    EXPECT_EQ(table().translate("/godata/pipelines/p")->source,
              "/var/lib/docker/volumes/g/_data/pipelines/p");
    EXPECT_EQ(table().translate("/godata/cache/m2")->source, "/srv/cache/m2");
    EXPECT_FALSE(table().translate("/readonly/x")->writable);
}

TEST(MountTable, AddsMountsThatLieBelow) {
    const auto path = table().translate("/godata");
    ASSERT_TRUE(path);
    ASSERT_EQ(path->nested.size(), 1U);
    EXPECT_EQ(path->nested[0].below, "/cache");
    EXPECT_EQ(path->nested[0].source, "/srv/cache");
}

TEST(MountTable, RefusesWhatIsOnNoMountWithAdvice) {
    const auto path = table().translate("/etc");
    ASSERT_FALSE(path);
    EXPECT_THAT(path.error().message(), HasSubstr("docker cp"));
    EXPECT_FALSE(table().translate("/godatax"));
}

TEST(MountTable, ResolvesLinksBeforeItLooks) {
    EXPECT_FALSE(table({{"/godata/link", "/etc"}}).translate("/godata/link"));
    EXPECT_EQ(table({{"/home/x", "/godata/x"}}).translate("/home/x")->source,
              "/var/lib/docker/volumes/g/_data/x");
}

TEST(MountTable, ProtectsTheSocketAlsoThroughALink) {
    EXPECT_FALSE(table({{"/godata/s", "/var/run/docker.sock"}}).translate("/godata/s"));
    EXPECT_FALSE(table().translate("/proc/1/root"));
    EXPECT_FALSE(table().translate("/var/run"));
}

TEST(MountTable, ShowsEnginePathsAsTheAgentKnowsThem) {
    EXPECT_EQ(table().shown("/var/lib/docker/volumes/g/_data/pipelines/p"), "/godata/pipelines/p");
    EXPECT_EQ(table().shown("/srv/cache"), "/godata/cache");
    EXPECT_EQ(table().shown("/elsewhere"), "/elsewhere");
}

TEST(MountTable, RootMountJoinsCleanly) {
    const MountTable root({{"/", "/", true}}, {}, resolver());
    EXPECT_EQ(root.translate("/a")->source, "/a");
    EXPECT_EQ(root.translate("/")->source, "/");
}

TEST(OwnContainer, IsFoundInCgroupsMountsAndHostName) {
    const std::string a(64, 'a');
    const std::string b(64, 'b');
    EXPECT_THAT(own_container_candidates("12:pids:/docker/" + b + "/docker/" + a + "\n", "", ""),
                ElementsAre(a));
    EXPECT_THAT(
        own_container_candidates(
            "0::/\n", "1 2 0:3 /var/lib/docker/containers/" + a + "/hostname /etc/hostname rw - ext4 x rw\n",
            "0123456789ab"),
        ElementsAre(a, "0123456789ab"));
    EXPECT_THAT(own_container_candidates("0::/system.slice/docker-" + a + ".scope\n", "", "agent"),
                ElementsAre(a));
    EXPECT_TRUE(own_container_candidates("0::/\n", "", "agent").empty());
}

}  // namespace
}  // namespace supervisor::broker
