// What the rules of request bodies say to one body, with one container, network and volume of the agent's
// own.
#pragma once

#include <gmock/gmock.h>

#include "broker/rules/rules.hpp"

namespace supervisor::broker {

using testing::HasSubstr;

inline const std::string kAgent(64, 'f');

class Rules : public testing::Test {
  protected:
    Rules() {
        config.listen_path = "/run/gocd/docker.sock";
        config.cgroup_parent = "/agents/a";
        config.bounds = {
            {{"core", sys::kNoLimit}, {"memlock", 8192}, {"nice", 0}, {"nofile", 4096}, {"rtprio", 0}}, 200};
        ledger.add(OwnContainer{std::string(64, 'a'), "db", "", 0, 0});
        ledger.add(OwnNetwork{std::string(64, 'c'), names.hidden("app"), "app", ""});
        ledger.add_volume(names.hidden("data"), "");
    }

    RuleScope scope(const Policy& with) {
        return RuleScope{with, ledger, names, mounts, config, owner, JobIdentity{"p", "1", "s", "1", "j"}};
    }
    Verdict create(const std::string& text, const Policy& with) {
        body = parse_json(text)->as_object();
        auto rule_scope = scope(with);
        const auto verdict = rewrite_container(rule_scope, body);
        volumes = rule_scope.volumes_to_create;
        return verdict;
    }
    Verdict host(const std::string& member, const Policy& with = Policy::isolated()) {
        return create(R"({"Image":"x","HostConfig":{)" + member + "}}", with);
    }
    json::object& host_config() { return body["HostConfig"].as_object(); }

    const Policy policy_ = Policy::isolated();
    Names names{"agent"};
    Owner owner{"agent", "1", kAgent};
    Ledger ledger;
    Config config;
    MountTable mounts{{{"/godata", "/vol/godata", true},
                       {"/run/gocd", "/vol/run", true},
                       {"/var/run/docker.sock", "/var/run/docker.sock", true}},
                      {"/proc", "/run/gocd-supervisor", "/var/run/docker.sock"},
                      [](const std::string& path) -> Result<sys::ResolvedPath> {
                          if (path == "/godata/planted") return sys::ResolvedPath{"/etc", true};
                          if (path == "/godata/socket")
                              return sys::ResolvedPath{"/var/run/docker.sock", true};
                          if (path == "/godata/colon") return sys::ResolvedPath{"/godata/a:/etc", true};
                          if (path == "/run/gocd/replaced.sock")
                              return sys::ResolvedPath{"/var/run/docker.sock", true};
                          return sys::ResolvedPath{path, true};
                      }};
    json::object body;
    std::vector<std::string> volumes;
};

}  // namespace supervisor::broker
