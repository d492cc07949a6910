// How much of the machine jobs may ask for.
#include "rules_fixture.hpp"

namespace supervisor::broker {
namespace {

TEST_F(Rules, LimitsCountWhatIsGranted) {
    config.limits.memory = 1000;
    ledger.add(OwnContainer{std::string(64, 'd'), "x", "", 600, 0});
    EXPECT_EQ(host(R"("Memory":500)")->rule, "limits");
    EXPECT_FALSE(host(R"("Memory":400)"));
    ASSERT_FALSE(host(R"("Tmpfs":{})"));
    EXPECT_EQ(host_config()["Memory"], json::value(1000));
    config.limits.containers = 2;
    EXPECT_EQ(host("")->rule, "limits");
}

TEST_F(Rules, QuotasCountAsProcessors) {
    config.limits.nano_cpus = 2'000'000'000;
    ledger.add(OwnContainer{std::string(64, 'd'), "x", "", 0, 500'000'000});
    EXPECT_EQ(host(R"("CpuQuota":200000)")->rule, "limits");
    EXPECT_EQ(host(R"("CpuQuota":200000,"CpuPeriod":1000)")->rule, "limits");
    EXPECT_EQ(host(R"("CpuQuota":9223372036854775807,"CpuPeriod":1)")->rule, "limits");
    EXPECT_FALSE(host(R"("CpuQuota":150000)"));
    ASSERT_FALSE(host(R"("CpuQuota":-1,"CpuPeriod":1000)"));
    EXPECT_EQ(host_config()["NanoCpus"], json::value(2'000'000'000));
    EXPECT_FALSE(host_config().contains("CpuQuota"));
    EXPECT_FALSE(host_config().contains("CpuPeriod"));
}

TEST_F(Rules, UpdatesFitIntoTheTotalsTogether) {
    config.limits.memory = 1000;
    config.limits.nano_cpus = 2'000'000'000;
    config.limits.pids = 50;
    ledger.add(OwnContainer{std::string(64, 'd'), "x", "", 600, 500'000'000});
    const auto* self = ledger.container("x");
    auto rule_scope = scope(policy_);
    const auto update = [&](const char* text, const OwnContainer* of) {
        body = parse_json(text)->as_object();
        const auto verdict = rewrite_update(rule_scope, body, of);
        return verdict ? verdict->rule : "";
    };
    EXPECT_EQ(update(R"({"Memory":1000})", self), "");
    EXPECT_EQ(update(R"({"Memory":1000})", ledger.container("db")), "limits");
    EXPECT_EQ(update(R"({"CpuQuota":200000})", self), "");
    EXPECT_EQ(update(R"({"CpuQuota":200000})", ledger.container("db")), "limits");
    for (const char* unlimited :
         {R"({"Memory":-1})", R"({"CpuQuota":-1})", R"({"NanoCpus":-1})", R"({"CpuPeriod":1000})"})
        EXPECT_EQ(update(unlimited, self), "limits") << unlimited;
    EXPECT_EQ(update(R"({"PidsLimit":-1})", self), "");
    EXPECT_EQ(body["PidsLimit"], json::value(50));
    EXPECT_EQ(update(R"({"CpuShares":2})", self), "");
    EXPECT_FALSE(body.contains("PidsLimit"));
}

TEST_F(Rules, BuildsStayBelowTheTotals) {
    config.limits.memory = 100'000'000;
    config.limits.nano_cpus = 1'500'000'000;
    auto rule_scope = scope(policy_);
    Query query;
    ASSERT_FALSE(limit_build(rule_scope, query));
    EXPECT_EQ(query.get("memory"), "100000000");
    EXPECT_EQ(query.get("cpuperiod"), "100000");
    EXPECT_EQ(query.get("cpuquota"), "150000");
    query.set("memory", "100000001");
    EXPECT_EQ(limit_build(rule_scope, query)->rule, "limits");
    query.set("memory", "-1");
    ASSERT_FALSE(limit_build(rule_scope, query));
    EXPECT_EQ(query.get("memory"), "100000000");
    query.set("cpuquota", "150001");
    EXPECT_EQ(limit_build(rule_scope, query)->rule, "limits");
}

TEST_F(Rules, ContainersWithoutALimitAreNotCountedAgainstTheTotal) {
    config.limits.memory = 1000;
    config.limits.nano_cpus = 2000;
    config.limits.pids = 50;
    ledger.add(OwnContainer{std::string(64, 'd'), "x", "", 0, 0});
    ASSERT_FALSE(host(R"("PidsLimit":-1)"));
    EXPECT_EQ(host_config()["Memory"], json::value(1000));
    EXPECT_EQ(host_config()["NanoCpus"], json::value(2000));
    EXPECT_EQ(host_config()["PidsLimit"], json::value(50));
    ASSERT_FALSE(host(R"("Memory":1000,"PidsLimit":5)"));
    EXPECT_EQ(host_config()["PidsLimit"], json::value(5));
}

// Row "Memory/Cpu/Pids/Ulimits/OomScoreAdj".
TEST_F(Rules, UlimitsUpToTheAgentsOwnPass) {
    EXPECT_FALSE(host(
        R"("Ulimits":[{"Name":"nofile","Soft":4096,"Hard":4096},{"Name":"core","Soft":-1,"Hard":-1},{"Name":"MEMLOCK","Soft":1,"Hard":8192}])"));
    const auto verdict = host(R"("Ulimits":[{"Name":"nofile","Soft":4097,"Hard":4097}])");
    EXPECT_THAT(verdict->message, HasSubstr("HostConfig.Ulimits"));
    EXPECT_THAT(verdict->message, HasSubstr("nofile"));
    EXPECT_THAT(verdict->message, HasSubstr("up to 4096"));
    for (const char* ulimit : {R"({"Name":"nofil","Soft":1,"Hard":1})", R"({"Name":"nofile","hard":-1})",
                               R"({"Name":"nofile","Hard":"9999"})", R"("nofile=1:1")"})
        EXPECT_EQ(host(R"("Ulimits":[)" + std::string(ulimit) + "]")->status, 400) << ulimit;
}

TEST_F(Rules, UlimitsOfUpdatesAndBuildsAreBoundToo) {
    auto rule_scope = scope(policy_);
    body = parse_json(R"({"Ulimits":[{"Name":"nofile","Soft":1,"Hard":4097}]})")->as_object();
    EXPECT_EQ(rewrite_update(rule_scope, body, nullptr)->rule, "ulimits");
    Query query;
    query.add("ulimits", R"([{"Name":"nofile","Soft":1,"Hard":4097}])");
    EXPECT_EQ(limit_build(rule_scope, query)->rule, "ulimits");
    query.set("ulimits", R"([{"Name":"nofile","Hard":4096,"Hard":4097}])");
    EXPECT_EQ(limit_build(rule_scope, query)->status, 400);
    query.set("ulimits", R"([{"Name":"nofile","Soft":1,"Hard":4096}])");
    EXPECT_FALSE(limit_build(rule_scope, query));
}

TEST_F(Rules, ContainersAreKilledBeforeTheAgent) {
    ASSERT_FALSE(host(R"("OomScoreAdj":500)"));
    EXPECT_EQ(host_config()["OomScoreAdj"], json::value(500));
    for (const char* unset : {R"("OomScoreAdj":0)", R"("OomScoreAdj":null)", R"("Tmpfs":{})"}) {
        ASSERT_FALSE(host(unset));
        EXPECT_EQ(host_config()["OomScoreAdj"], json::value(200)) << unset;
    }
    config.bounds.oom_score = 0;
    ASSERT_FALSE(host(R"("Tmpfs":{})"));
    EXPECT_FALSE(host_config().contains("OomScoreAdj"));
}

}  // namespace
}  // namespace supervisor::broker
