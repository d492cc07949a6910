#include "agent/autoregister.hpp"

#include <gmock/gmock.h>

namespace supervisor::agent {
namespace {

using testing::HasSubstr;
using testing::Not;

Registration elastic(std::string id) {
    return {.key = Secret("once"),
            .resources = {},
            .environments = "e",
            .hostname = "h",
            .elastic_agent_id = std::move(id),
            .elastic_plugin_id = "plugin"};
}

TEST(EscapeProperty, WritesWhatJavaReadsBack) {
    struct Case {
        std::string value, escaped;
    };
    for (const auto& [value, escaped] : std::vector<Case>{{"plain", "plain"},
                                                          {"back\\slash", "back\\\\slash"},
                                                          {"ends with \\", "ends with \\\\"},
                                                          {"  two blanks", "\\  two blanks"},
                                                          {"two\nlines\r", "two\\nlines\\r"},
                                                          {"\ttab", "\\ttab"},
                                                          {"a=b:c#d!", "a=b:c#d!"},
                                                          {"ünïcode", "ünïcode"},
                                                          {"", ""}}) {
        EXPECT_EQ(escape_property(value), escaped);
        EXPECT_EQ(find_property("key=" + escaped + "\nother=1\n", "key"), value);
    }
}

TEST(FindProperty, ReadsOtherLayoutsToo) {
    EXPECT_EQ(find_property("a.b = 1\n", "a.b"), "1");
    EXPECT_EQ(find_property("a.b:1\na.b=2", "a.b"), "2");
    EXPECT_EQ(find_property("#a.b=1\n", "a.b"), std::nullopt);
    EXPECT_EQ(find_property("a.bc=1\n", "a.b"), std::nullopt);
}

TEST(RenderForRegistration, WritesWhatIsSet) {
    EXPECT_EQ(render_for_registration({.key = Secret("k\\"),
                                       .resources = "a,b",
                                       .environments = "e",
                                       .hostname = "h",
                                       .elastic_agent_id = {},
                                       .elastic_plugin_id = {}}),
              "agent.auto.register.key=k\\\\\n"
              "agent.auto.register.resources=a,b\n"
              "agent.auto.register.environments=e\n"
              "agent.auto.register.hostname=h\n");
    EXPECT_EQ(render_for_registration({}), "");
}

TEST(RenderRegistered, KeepsOnlyTheElasticIds) {
    EXPECT_EQ(render_registered(elastic("id")),
              "agent.auto.register.elasticAgent.agentId=id\n"
              "agent.auto.register.elasticAgent.pluginId=plugin\n");
    EXPECT_THAT(render_for_registration(elastic("id")), HasSubstr("once"));
    EXPECT_THAT(render_registered(elastic("id")), Not(HasSubstr("once")));
}

TEST(ParseRegistration, ReadsCommentsOnlyWhenAskedTo) {
    const auto text =
        "#agent.auto.register.key=spent\n! agent.auto.register.resources = a\n"
        "agent.auto.register.environments=e\n#agent.auto.register.environments=old\n";
    const auto live = parse_registration(text, Comments::Ignored);
    EXPECT_TRUE(live.key.empty());
    EXPECT_EQ(live.environments, "e");
    const auto all = parse_registration(text, Comments::Count);
    EXPECT_EQ(all.key.reveal(), "spent");
    EXPECT_EQ(all.resources, "a");
    EXPECT_EQ(all.environments, "e");
    EXPECT_EQ(parse_registration(render_for_registration(elastic("id")), Comments::Ignored), elastic("id"));
}

TEST(HoldsRegistrationData, LooksIntoCommentsToo) {
    EXPECT_TRUE(holds_registration_data("# x\n  #agent.auto.register.key=k\n"));
    EXPECT_TRUE(holds_registration_data("agent.auto.register.hostname=h\n"));
    EXPECT_FALSE(holds_registration_data("# x\n" + render_registered(elastic("id"))));
}

TEST(BelongsToOtherAgent, ComparesElasticIds) {
    const auto own = render_registered(elastic("mine"));
    EXPECT_FALSE(belongs_to_other_agent(own, elastic("mine")));
    EXPECT_FALSE(belongs_to_other_agent("#comment\nagent.auto.register.elasticAgent.agentId = mine\n",
                                        elastic("mine")));
    EXPECT_TRUE(belongs_to_other_agent(own, elastic("other")));
    EXPECT_TRUE(belongs_to_other_agent("", elastic("mine")));
    EXPECT_TRUE(belongs_to_other_agent(own, Registration{}));
    EXPECT_FALSE(belongs_to_other_agent("agent.auto.register.key=k\n", Registration{}));
}

}  // namespace
}  // namespace supervisor::agent
