#include <gmock/gmock.h>

#include "broker/config.hpp"
#include "broker/objects/ledger.hpp"
#include "broker/objects/sweeper.hpp"

namespace supervisor::broker {
namespace {

using testing::ElementsAre;

TEST(Names, AreUniqueByAgentAndShownPlain) {
    const Names a("agent-a");
    const Names b("agent-b");
    EXPECT_NE(a.hidden("db"), b.hidden("db"));
    EXPECT_EQ(a.shown("{\"Names\":[\"/" + a.hidden("db") + "\",\"/" + a.hidden("web") + "/x\"]}"),
              R"({"Names":["/db","/web/x"]})");
    EXPECT_EQ(a.shown(b.hidden("db")), b.hidden("db"));
}

TEST(OwnerLabel, IsReadBack) {
    const auto label = parse_owner_label(owner_label({"a", "7", "cid"}, {"p", "1", "s", "2", "j"}));
    EXPECT_EQ(label.incarnation, "7");
    EXPECT_EQ(label.container, "cid");
    EXPECT_EQ(label.job, "p/1/s/2/j");
    EXPECT_EQ(parse_owner_label("7 - -").job, "");
    EXPECT_EQ(parse_owner_label("").incarnation, "");
}

TEST(Ledger, ResolvesIdThenNameThenUniquePrefix) {
    Ledger ledger;
    const std::string first = "abc1" + std::string(60, '0');
    const std::string second = "abc2" + std::string(60, '0');
    ledger.add(OwnContainer{first, "abc2", "", 0, 0});
    ledger.add(OwnContainer{second, "web", "", 0, 0});
    EXPECT_EQ(ledger.container(second)->name, "web");
    // A name that looks like another's id goes before the prefix.
    EXPECT_EQ(ledger.container("abc2")->id, first);
    EXPECT_EQ(ledger.container("abc20")->id, second);
    EXPECT_EQ(ledger.container("abc"), nullptr);
    EXPECT_EQ(ledger.container("/web")->id, second);
    EXPECT_EQ(ledger.container(""), nullptr);
}

TEST(Ledger, KeepsGrantsOverARefresh) {
    Ledger ledger;
    ledger.add(OwnContainer{"a", "x", "", 100, 7});
    ledger.begin_refresh();
    EXPECT_TRUE(ledger.containers().empty());
    ledger.add(OwnContainer{"a", "x", "", 0, 0});
    EXPECT_EQ(ledger.container("a")->memory, 100U);
    EXPECT_TRUE(ledger.ever_owned("a"));
}

TEST(Ledger, ReadsContainerNamesFromLists) {
    const Names names("agent");
    const auto listed =
        parse_json(R"({"Id":"1","Names":["/)" + names.hidden("a") + "/alias\",\"/" + names.hidden("web") +
                   R"("],"Labels":{"org.gocd.agent.owner":"1 c p/1/s/1/j"}})");
    const auto container = container_from_list(listed->as_object(), names);
    EXPECT_EQ(container.name, "web");
    EXPECT_EQ(container.job, "p/1/s/1/j");
}

json::object labels(const std::string& agent, const std::string& owner) {
    return json::object{{"org.gocd.agent.id", agent}, {"org.gocd.agent.owner", owner}};
}

TEST(Victims, OfAJobAreItsOwn) {
    SweepScope scope;
    scope.kind = SweepScope::Kind::Job;
    scope.agent_id = "a";
    scope.job = "p/1/s/1/j";
    EXPECT_TRUE(is_victim(scope, labels("a", "1 c p/1/s/1/j"), {}));
    EXPECT_FALSE(is_victim(scope, labels("a", "1 c p/2/s/1/j"), {}));
    EXPECT_FALSE(is_victim(scope, labels("b", "1 c p/1/s/1/j"), {}));
    scope.job.clear();
    EXPECT_FALSE(is_victim(scope, labels("a", "1 c -"), {}));
}

TEST(Victims, AmongOrphansAreThoseWhoseAgentsContainerIsGone) {
    SweepScope scope;
    scope.agent_id = "me";
    scope.incarnation = "2";
    EXPECT_TRUE(is_victim(scope, labels("x", "1 dead -"), {"alive"}));
    EXPECT_FALSE(is_victim(scope, labels("x", "1 alive -"), {"alive"}));
    // An agent that is no container of this engine: nobody here can tell.
    EXPECT_FALSE(is_victim(scope, labels("x", "1 - -"), {"alive"}));
    EXPECT_TRUE(is_victim(scope, labels("me", "1 - -"), {}));
    EXPECT_FALSE(is_victim(scope, labels("me", "2 - -"), {}));
    EXPECT_FALSE(is_victim(scope, {}, {}));
}

TEST(Victims, AreNeverWhatAnotherRunningContainerOwnsThoughItGoesByTheSameName) {
    SweepScope scope;
    scope.agent_id = "me";
    scope.incarnation = "2";
    scope.container = "mine";
    scope.job = "p/1/s/1/j";
    for (const auto kind : {SweepScope::Kind::Job, SweepScope::Kind::Agent, SweepScope::Kind::Orphans}) {
        scope.kind = kind;
        // A service's replica, or the predecessor that ends after its successor has begun.
        EXPECT_FALSE(is_victim(scope, labels("me", "1 other p/1/s/1/j"), {"mine", "other"}));
        EXPECT_TRUE(is_victim(scope, labels("me", "1 other p/1/s/1/j"), {"mine"}));
        // An earlier start of this container.
        EXPECT_TRUE(is_victim(scope, labels("me", "1 mine p/1/s/1/j"), {"mine"}));
    }
    // The same container, started again under another name.
    EXPECT_TRUE(is_victim(scope, labels("old-name", "1 mine -"), {"mine"}));
    EXPECT_FALSE(is_victim(scope, labels("old-name", "2 mine -"), {"mine"}));
}

TEST(Victims, AmongImagesAreLoadedOnesWhoseTagWentBack) {
    SweepScope scope;
    scope.kind = SweepScope::Kind::Agent;
    scope.agent_id = "a";
    scope.tags = {"sha256:9"};
    EXPECT_THAT(image_victims(scope, json::object{{"Id", "sha256:9"}, {"RepoTags", nullptr}}, {}),
                ElementsAre("sha256:9"));
    EXPECT_TRUE(
        image_victims(scope, json::object{{"Id", "sha256:9"}, {"RepoTags", json::array{"x:1"}}}, {}).empty());
}

TEST(Victims, AmongImagesAreOwnTagsAndNeverAnothersImage) {
    SweepScope scope;
    scope.kind = SweepScope::Kind::Agent;
    scope.agent_id = "a";
    scope.tags = {"loaded:latest", "moved:latest"};
    const auto victims = [&](const std::string& agent, const char* tags) {
        json::object image{{"Id", "sha256:1"}, {"RepoTags", *parse_json(tags)}};
        if (!agent.empty()) image["Labels"] = labels(agent, "1 c -");
        return image_victims(scope, image, {});
    };
    EXPECT_THAT(victims("a", R"(["x:1","y:1"])"), ElementsAre("x:1", "y:1"));
    EXPECT_THAT(victims("a", R"(["x:1"])"), ElementsAre("sha256:1"));
    EXPECT_THAT(victims("a", R"(["<none>:<none>"])"), ElementsAre("sha256:1"));
    EXPECT_THAT(victims("a", "null"), ElementsAre("sha256:1"));
    EXPECT_THAT(victims("", R"(["loaded:latest","alpine:latest"])"), ElementsAre("loaded:latest"));
    EXPECT_TRUE(victims("b", R"(["moved:latest"])").empty());
}

TEST(Config, SurvivesItsJson) {
    Config config;
    config.mode = Mode::Dind;
    config.agent_id = "agent \"x\"";
    config.policy = R"({"allow":["buildkit"]})";
    config.limits.memory = 1ULL << 40;
    config.mounts = std::vector<Mount>{{"/godata", "/vol", false}};
    config.protected_paths = {"/secret"};
    config.supervisor_fd = 7;
    config.keep_images = false;
    const auto back = config_from_json(to_json(config));
    ASSERT_TRUE(back);
    EXPECT_EQ(to_json(*back), to_json(config));
    EXPECT_EQ(back->mounts->at(0).source, "/vol");
    EXPECT_FALSE(config_from_json(R"({"agent":"x"})"));
    EXPECT_FALSE(config_from_json(R"({"agent_id":1})"));
}

}  // namespace
}  // namespace supervisor::broker
