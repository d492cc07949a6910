// Names and labels under which the engine knows what this agent's jobs made.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "broker/peer.hpp"

namespace supervisor::broker {

inline constexpr std::string_view kLabelPrefix = "org.gocd.agent";
inline constexpr std::string_view kAgentLabel = "org.gocd.agent.id";
// "INCARNATION CONTAINER JOB", "-" for what is not known. One label for all three, because the classic
// builder makes an image layer for each. CONTAINER is the agent's own: as long as the engine runs it, what
// carries the label has an owner. JOB is the job's locator.
inline constexpr std::string_view kOwnerLabel = "org.gocd.agent.owner";

// Every agent has its own space of names: "db" is "gocd-1f0c44a91b-db" for the engine. The prefix is unlike
// anything that occurs by chance, so that showing names to a client is a matter of removing it from the text.
class Names {
  public:
    explicit Names(std::string_view agent_id);

    std::string hidden(std::string_view name) const { return prefix_ + std::string(name); }
    std::string shown(std::string_view text) const;
    // The same without a copy where nothing is hidden.
    std::string shown(std::string&& text) const;
    std::string shown(const std::string& text) const { return shown(std::string_view(text)); }
    std::string shown(const char* text) const { return shown(std::string_view(text)); }
    const std::string& prefix() const { return prefix_; }

  private:
    std::string prefix_;
};

struct Owner {
    std::string agent_id;
    std::string incarnation;
    std::string container;
};

struct OwnerLabel {
    std::string incarnation;
    std::string container;
    std::string job;
};
std::string owner_label(const Owner& owner, const JobIdentity& job);
OwnerLabel parse_owner_label(std::string_view text);

// Puts the ownership labels into `labels`; a client's own under kLabelPrefix are dropped.
void set_owner_labels(json::object& labels, const Owner& owner, const JobIdentity& job);

// Takes the ownership labels out of an object's "Labels": compose compares what it asked for with what it
// sees.
void hide_owner_labels(json::object& object);

// {"label":["org.gocd.agent.id=…"]}, as query parameter value.
std::string owner_filter(const Owner& owner);

}  // namespace supervisor::broker
