// Removes what jobs made, in the order that dependencies ask for: containers (with their anonymous volumes),
// then networks and volumes, then images. Everything of one kind at a time in parallel, under one deadline.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "broker/traffic/upstream.hpp"

namespace supervisor::broker {

struct SweepScope {
    enum class Kind {
        Job,      // one job of one agent
        Agent,    // everything of one agent
        Orphans,  // what agents left that are not there any more
    };
    Kind kind = Kind::Orphans;
    std::string agent_id;     // Orphans: this agent's other incarnations count as gone
    std::string incarnation;  // the living one; kept by Orphans
    std::string container;    // the living one's, if it is one
    std::string job;          // locator
    bool images = true;
    // Known to belong here though they carry no label: anonymous volumes, tags.
    std::vector<std::string> volumes;
    std::vector<std::string> tags;
};

// Pure: does an object with these labels fall under the scope? `running`: ids of all running containers. What
// belongs to another agent's running container never does, not even if that agent goes by the same id.
bool is_victim(const SweepScope& scope, const json::object& labels, const std::set<std::string>& running);

// Pure: the references to remove of an image as the engine lists it: all its tags, or its id if one is all,
// or those of its tags that are known to be ours.
std::vector<std::string> image_victims(const SweepScope& scope, const json::object& image,
                                       const std::set<std::string>& running);

struct SweepReport {
    std::uint64_t containers = 0;
    std::uint64_t networks = 0;
    std::uint64_t volumes = 0;
    std::uint64_t images = 0;
    std::uint64_t leftover = 0;  // could not be removed, or not in time
    std::vector<std::string> problems;
    std::uint64_t removed() const { return containers + networks + volumes + images; }
};

// "2 containers, 1 networks, 0 volumes, 0 images"
std::string summary(const SweepReport& report);

class Sweep : public std::enable_shared_from_this<Sweep> {
  public:
    using Done = std::function<void(const SweepReport&)>;
    // api_prefix: "/v1.41". Runs until done() was called; the last handle dropped cancels it.
    static std::shared_ptr<Sweep> start(Upstream& upstream, std::string api_prefix, SweepScope scope,
                                        Milliseconds budget, Done done);

  private:
    struct Victim {
        std::string path;  // of the DELETE request
        std::uint64_t* counter;
        bool may_stay = false;  // whoever uses it keeps it
        int attempts = 0;
    };
    Sweep(Upstream& upstream, std::string api_prefix, SweepScope scope, Done done)
        : upstream_(upstream),
          prefix_(std::move(api_prefix)),
          scope_(std::move(scope)),
          done_(std::move(done)) {}

    void list_containers();
    void list_networks();
    void list_volumes();
    void list_images();
    void finish();

    using Listed = std::function<void(const json::array&)>;
    void list(const std::string& path, std::string_view member, Listed then);
    // The same, and after it who is alive: what an agent made that started in between cannot be in the list.
    void list_then_running(const std::string& path, std::string_view member, Listed then);
    bool needs_running() const {
        return scope_.kind == SweepScope::Kind::Orphans || !scope_.container.empty();
    }
    void remove_all(std::vector<Victim> victims, std::function<void()> then);
    void remove_next();
    void remove(Victim victim);
    void removed(Victim victim, const Result<Reply>& result);
    std::string label_filter() const;

    Upstream& upstream_;
    std::string prefix_;
    SweepScope scope_;
    Done done_;
    SweepReport report_;
    std::set<std::string> running_;
    std::set<std::string> anonymous_volumes_;  // that removed containers had
    std::vector<Victim> queue_;
    std::size_t in_flight_ = 0;
    std::function<void()> after_removal_;
    std::vector<std::shared_ptr<Call>> calls_;
    std::vector<loop::Timer> retries_;
    loop::Timer deadline_;
};

}  // namespace supervisor::broker
