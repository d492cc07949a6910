// Odd requests by the thousand. Whatever the broker lets through, the engine must see only what it knows:
// canonical routes, listed query keys, vetted bodies, one way to tell where a request ends, and nothing that
// was smuggled along.
#include <gtest/gtest.h>

#include <cstdint>

#include "harness.hpp"
#include "odd_requests.hpp"
#include "strict_engine.hpp"

namespace supervisor::broker {
namespace {

const std::string kOwn(64, 'a');
const std::string kNetwork(64, 'c');
const std::string kExec(64, 'e');

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
    const char* text = ::getenv(variable);
    return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

void own(Harness& harness) {
    auto& ledger = harness.broker().ledger();
    ledger.add(OwnContainer{kOwn, "db", "", 0, 0});
    ledger.add(OwnNetwork{kNetwork, Names("agent").hidden("app"), "app", ""});
    ledger.add_volume(Names("agent").hidden("data"), "");
    ledger.add_exec(kExec, kOwn);
    ledger.add_image("mine:1", {});
}

class StrictEngine {
  public:
    void arrived(EngineConnection& connection) {
        while (!connection.received.empty() && tunnels_.count(&connection) == 0) {
            auto reading = read_strictly(connection.received);
            if (reading.state == Reading::State::Incomplete) return;
            if (reading.state == Reading::State::Objectionable) return object(reading.objection);
            ++requests_;
            if (auto why = objection_to(reading.request); !why.empty())
                return object(why + ": " + reading.request.method + " " + reading.request.path + "?" +
                              reading.request.query);
            const auto head = connection.received.substr(0, connection.received.find("\r\n\r\n"));
            if (head.find(kContraband) != std::string::npos && !is_data(reading.request))
                object("contraband: " + head);
            connection.received.erase(0, reading.size);
            respond(connection, reading.request);
        }
    }
    std::string take_objection() { return std::exchange(objection_, {}); }
    [[nodiscard]] std::uint64_t requests() const { return requests_; }

  private:
    void object(std::string why) {
        if (objection_.empty()) objection_ = std::move(why);
    }
    // Names in a query or path are the client's to choose; they name objects in the agent's own space.
    static bool is_data(const SeenRequest& request) {
        static const char* const kKeys[] = {"name=gocd-", "signal=", "ps_args=", "filters=", "repo=", "tag="};
        for (const auto& [name, value] : request.fields) {
            if (value.find(kContraband) != std::string::npos) return false;
        }
        if (request.path.find(kContraband) != std::string::npos) return request.path.starts_with("/images/");
        return std::any_of(std::begin(kKeys), std::end(kKeys),
                           [&](const char* key) { return request.query.find(key) != std::string::npos; });
    }
    void respond(EngineConnection& connection, const SeenRequest& request) {
        if (request.path.ends_with("/attach") ||
            (request.path.starts_with("/exec/") && request.path.ends_with("/start"))) {
            const auto* upgrade = request.field("Upgrade");
            connection.send(
                upgrade != nullptr
                    ? "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: " + *upgrade + "\r\n\r\n"
                    : "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n");
            tunnels_.insert(&connection);
            return;
        }
        if (request.method == "HEAD") return connection.send("HTTP/1.1 200 OK\r\n\r\n");
        connection.send(Harness::json_reply(
            request.path == "/volumes"             ? R"({"Volumes":[]})"
            : request.path.ends_with("/create")    ? R"({"Id":")" + kOwn + "\"}"
            : request.path.starts_with("/images/") ? R"({"Id":"sha256:1","RepoTags":["mine:1"]})"
            : request.path == "/containers/json"
                ? R"([{"Id":")" + kOwn + R"(","Names":["/)" + Names("agent").hidden("db") + "\"]}]"
            : request.path == "/networks"
                ? R"([{"Id":")" + kNetwork + R"(","Name":")" + Names("agent").hidden("app") +
                      R"(","Labels":{"org.gocd.agent.id":"agent"}}])"
                : "[]",
            request.path.ends_with("/create") ? 201 : 200));
    }

    std::string objection_;
    std::uint64_t requests_ = 0;
    std::set<const EngineConnection*> tunnels_;
};

void send_in_pieces(Harness& harness, OddRequests& odd, RawClient& client, std::string_view bytes) {
    for (auto pieces = odd.pick(3); pieces > 0 && bytes.size() > 1; --pieces) {
        const auto cut = 1 + odd.pick(bytes.size() - 1);
        client.send(bytes.substr(0, cut));
        harness.turn();
        bytes.remove_prefix(cut);
    }
    client.send(bytes);
}

TEST(Differential, TheEngineSeesNothingOdd) {
    const auto seed = number_from("BROKER_FUZZ_SEED", std::random_device{}());
    const auto total = number_from("BROKER_FUZZ_REQUESTS", 6000);
    std::printf("seed %llu, %llu connections (BROKER_FUZZ_SEED, BROKER_FUZZ_REQUESTS)\n",
                static_cast<unsigned long long>(seed), static_cast<unsigned long long>(total));
    OddRequests odd(seed);
    std::uint64_t seen = 0;
    std::uint64_t refused = 0;
    for (std::uint64_t done = 0; done < total;) {
        // A fresh broker now and then, since some requests end what the others need.
        Harness harness;
        own(harness);
        StrictEngine engine;
        harness.on_bytes = [&engine](EngineConnection& connection) { engine.arrived(connection); };
        for (int i = 0; i < 100 && done < total; ++i, ++done) {
            const auto bytes = odd.next();
            {
                auto client = harness.client();
                send_in_pieces(harness, odd, client, bytes);
                for (int turn = 0; turn < 12; ++turn) harness.turn();
                if (client.received().starts_with("HTTP/1.1 4")) ++refused;
            }
            for (int turn = 0; turn < 3; ++turn) harness.turn();
            const auto objection = engine.take_objection();
            ASSERT_EQ(objection, "") << "seed " << seed << ", connection " << done << ":\n"
                                     << bytes.substr(0, 4000);
            if (i % 10 == 9) own(harness);
        }
        seen += engine.requests();
    }
    std::printf("%llu requests reached the engine, %llu connections began with a refusal\n",
                static_cast<unsigned long long>(seen), static_cast<unsigned long long>(refused));
    // Neither of them can be rare, or this proves nothing.
    EXPECT_GT(seen, total / 10);
    EXPECT_GT(refused, total / 10);
}

}  // namespace
}  // namespace supervisor::broker
