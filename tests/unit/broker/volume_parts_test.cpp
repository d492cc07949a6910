// Binds of what lies in a volume of the agent: as a part of that volume, where the engine has such mounts.
#include "broker/handlers/container_mounts.hpp"
#include "rules_fixture.hpp"

namespace supervisor::broker {
namespace {

using testing::ElementsAre;

class VolumeParts : public Rules {
  protected:
    Verdict create(const std::string& host, bool subpaths = true) {
        body = parse_json(R"({"Image":"x","HostConfig":{)" + host + "}}")->as_object();
        auto rule_scope = scope(policy_);
        rule_scope.volume_subpaths = subpaths;
        const auto verdict = rewrite_container(rule_scope, body);
        parts = rule_scope.volume_parts.size();
        return verdict;
    }
    VolumeParts() {
        const auto resolver = [](const std::string& path) -> Result<sys::ResolvedPath> {
            if (path == "/godata/link") return sys::ResolvedPath{"/godata/real", true};
            return sys::ResolvedPath{path, !path.ends_with("/missing")};
        };
        mounts = MountTable({{"/godata", "/var/lib/docker/volumes/work/_data", true, "work"},
                             {"/shared", "/srv/shared", false, ""},
                             {"/readonly", "/var/lib/docker/volumes/ro/_data", false, "ro"}},
                            {}, resolver);
    }
    std::size_t parts = 0;
};

TEST_F(VolumeParts, TakeThePlaceOfBinds) {
    ASSERT_FALSE(create(R"("Binds":["/godata/p/src:/src:ro","/godata/link:/l","/shared/x:/x"])"));
    EXPECT_EQ(host_config()["Binds"], json::value({"/srv/shared/x:/x:ro"}));
    EXPECT_EQ(host_config()["Mounts"], *parse_json(R"([
        {"Type":"volume","Source":"work","Target":"/src","ReadOnly":true,"VolumeOptions":{"NoCopy":true,"Subpath":"p/src"}},
        {"Type":"volume","Source":"work","Target":"/l","ReadOnly":false,"VolumeOptions":{"NoCopy":true,"Subpath":"real"}}])"));
}

TEST_F(VolumeParts, TakeThePlaceOfBindMountsAndKeepTheOthers) {
    ASSERT_FALSE(create(
        R"("Mounts":[{"Type":"bind","Source":"/readonly/a:b","Target":"/a","BindOptions":{"CreateMountpoint":true}},)"
        R"({"Type":"tmpfs","Target":"/t"}])"));
    EXPECT_EQ(host_config()["Mounts"], *parse_json(R"([{"Type":"tmpfs","Target":"/t"},
        {"Type":"volume","Source":"ro","Target":"/a","ReadOnly":true,"VolumeOptions":{"NoCopy":true,"Subpath":"a:b"}}])"));
}

TEST_F(VolumeParts, StayBindsWhereTheEngineCannotMountThem) {
    ASSERT_FALSE(create(R"("Binds":["/godata/p:/p"])", false));
    EXPECT_EQ(host_config()["Binds"], json::value({"/var/lib/docker/volumes/work/_data/p:/p"}));
    // A volume's top cannot be replaced, and what is missing the engine makes.
    ASSERT_FALSE(create(R"("Binds":["/godata:/all","/godata/missing:/m"])"));
    EXPECT_EQ(host_config()["Binds"], json::value({"/var/lib/docker/volumes/work/_data:/all",
                                                   "/var/lib/docker/volumes/work/_data/missing:/m"}));
    EXPECT_EQ(parts, 0U);
}

TEST_F(VolumeParts, AreShownAsTheBindsThatTheyWere) {
    auto container = parse_json(R"({"HostConfig":{"Binds":["/srv/shared/x:/x:ro"],"Mounts":[
            {"Type":"volume","Source":"work","Target":"/src","ReadOnly":true,"VolumeOptions":{"NoCopy":true,"Subpath":"p/src"}},
            {"Type":"volume","Source":"mine","Target":"/d"}]},
        "Mounts":[{"Type":"volume","Name":"work","Driver":"local","Source":"/var/lib/docker/volumes/work/_data","Destination":"/src","RW":false},
            {"Type":"volume","Name":"mine","Source":"/v","Destination":"/d"}]})")
                         ->as_object();
    EXPECT_THAT(volumes_of(container, mounts), ElementsAre("mine"));
    show_mounts(mounts, container);
    EXPECT_EQ(json::value(container),
              *parse_json(R"({"HostConfig":{"Binds":["/shared/x:/x:ro","/godata/p/src:/src:ro"],
            "Mounts":[{"Type":"volume","Source":"mine","Target":"/d"}]},
        "Mounts":[{"Type":"bind","Source":"/godata/p/src","Destination":"/src","RW":false,"Mode":"","Propagation":"rprivate"},
            {"Type":"volume","Name":"mine","Source":"/v","Destination":"/d"}]})"));
}

TEST_F(VolumeParts, AreShownInListsAsTheVolumeWithThem) {
    const std::string list =
        R"([{"Mounts":[{"Type":"volume","Name":"work","Source":"","Destination":"/src"}]}])";
    EXPECT_TRUE(has_agents_mounts(list, mounts));
    EXPECT_FALSE(has_agents_mounts(R"([{"Mounts":[{"Type":"volume","Name":"mine"}]}])", mounts));
    auto container = parse_json(list)->as_array()[0].as_object();
    show_listed_mounts(mounts, container);
    EXPECT_EQ(
        json::value(container),
        *parse_json(
            R"({"Mounts":[{"Type":"bind","Source":"/godata","Destination":"/src","Mode":"","Propagation":"rprivate"}]})"));
}

TEST_F(VolumeParts, SourcesThatBecameLinksAreRefusedWhenTheyAreFollowedAgain) {
    const auto rule_scope = [this](const Policy& policy) { return scope(policy); };
    auto isolated = rule_scope(policy_);
    const auto check = [](RuleScope& with, const std::string& host) {
        const auto parsed = parse_json(host)->as_object();
        return check_bind_sources(with, parsed);
    };
    const std::string data = "/var/lib/docker/volumes/work/_data";
    EXPECT_FALSE(check(isolated, R"({"Binds":[")" + data + R"(/real:/x","volume:/v","/etc/hosts:/h"]})"));
    const auto denial = check(isolated, R"({"Binds":[")" + data + R"(/link:/x:ro"]})");
    ASSERT_TRUE(denial);
    EXPECT_THAT(denial->message, HasSubstr("/godata/link has become a link"));
    EXPECT_TRUE(
        check(isolated, R"({"Mounts":[{"Type":"bind","Source":")" + data + R"(/link","Target":"/x"}]})"));
    mounts = MountTable({{"/same", "/same", true}}, {}, [](const std::string&) -> Result<sys::ResolvedPath> {
        return sys::ResolvedPath{"/etc", true};
    });
    EXPECT_TRUE(check(isolated, R"({"Binds":["/same/x:/x"]})"));
    const auto trusted = Policy::trusted();
    auto all = rule_scope(trusted);
    EXPECT_FALSE(check(all, R"({"Binds":[")" + data + R"(/link:/x"]})"));
}

}  // namespace
}  // namespace supervisor::broker
