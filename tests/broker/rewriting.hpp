// One client's requests against a scripted engine: what is asked, what the engine hears, what is shown.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>

#include "broker/http/uri.hpp"
#include "harness.hpp"

namespace supervisor::broker {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

inline const std::string kId(64, 'a');
inline const std::string kNet(64, 'c');

class Rewriting : public testing::Test {
  protected:
    explicit Rewriting(std::string_view policy = "isolated", const std::function<void(Config&)>& adjust = {})
        : harness(policy, adjust) {
        harness.broker().ledger().add(OwnContainer{kId, "db", "", 0, 0});
        harness.broker().ledger().add(OwnNetwork{kNet, hidden("app"), "app", ""});
        harness.answer = [this](const std::string& request) {
            for (const auto& [mark, reply] : replies) {
                if (request.find(mark) != std::string::npos) return reply;
            }
            return Harness::json_reply(R"({"message":"not scripted"})", 404);
        };
    }
    std::string hidden(const std::string& name) { return harness.broker().names().hidden(name); }
    std::string ask(const std::string& line, const std::string& body = {}) { return harness.ask(line, body); }
    bool heard(const std::string& start) const {
        return std::any_of(harness.requests.begin(), harness.requests.end(),
                           [&](const std::string& request) { return request.starts_with(start); });
    }
    std::string last() const { return harness.requests.empty() ? std::string() : harness.requests.back(); }

    Harness harness;
    std::vector<std::pair<std::string, std::string>> replies;
};

class Trusted : public Rewriting {
  protected:
    Trusted() : Rewriting("trusted") {}
};

}  // namespace supervisor::broker
