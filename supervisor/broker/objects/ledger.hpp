// What this agent's jobs have made: the broker made it all, so it knows without asking. References
// are resolved here and only here, in the engine's order but among own objects; upstream gets full ids.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "broker/objects/names.hpp"

namespace supervisor::broker {

struct OwnContainer {
    std::string id;
    std::string name;          // as the client knows it, without '/'
    std::string job;           // locator
    std::uint64_t memory = 0;  // what it was granted of the agent's totals
    std::uint64_t nano_cpus = 0;
};

struct OwnNetwork {
    std::string id;
    std::string name;  // as the engine knows it
    std::string shown;
    std::string job;
};

struct OwnImage {
    std::string job;
    // Where a tag pointed when this agent made it. Tags are one space for all agents of an engine: another
    // one may move it meanwhile, and this agent's jobs still mean their own image.
    std::string id = {};
    // Removed at the end. What was only pulled stays, since others may use it by now.
    bool made = true;
    // It was not there before; so the agent may remove it when it is asked to.
    bool introduced = true;
    // The tag is everybody's, as pulled ones are: it means what it means on the engine, unless that is what
    // another agent has built since.
    bool shared = false;
};

class Ledger {
  public:
    // Takes over what an earlier process left in this file, and keeps there from now on what no list of the
    // engine tells: anonymous volumes, tags, what containers were granted. The file must be open for reading
    // and appending.
    void keep_in(int fd);

    void add(OwnContainer container);
    void add(OwnNetwork network);
    // By the engine's name. Anonymous volumes have 64 hexadecimal digits and no prefix.
    void add_volume(std::string name, std::string job);
    void add_exec(std::string exec, std::string container);
    // A reference or id that this agent introduced: built, tagged, loaded or committed (made), or pulled.
    void add_image(std::string reference, OwnImage image);

    // A step of a build, by the first 12 digits of its id: it has no label and no tag.
    void add_step(std::string_view id) { remember("step " + std::string(id)); }
    bool is_step(std::string_view id) const { return ever_owned("step " + std::string(id)); }

    void remove_container(std::string_view id);
    void remove_network(std::string_view id);
    void remove_volume(std::string_view name);
    void remove_image(std::string_view reference);
    // What it has been given since, where that is not 0.
    void grant(std::string_view id, std::uint64_t memory, std::uint64_t nano_cpus);
    void rename_container(std::string_view id, std::string name);
    // Forget containers and networks: lists from the engine follow. Volumes and images stay, since some of
    // them carry no label that a list could be filtered by.
    void begin_refresh();

    // Full id, then name, then unique prefix of an id.
    const OwnContainer* container(std::string_view reference) const;
    const OwnNetwork* network(std::string_view reference) const;
    bool owns_volume(std::string_view engine_name) const {
        return volumes_.contains(std::string(engine_name));
    }
    std::optional<std::string> container_of_exec(std::string_view exec) const;
    const OwnImage* image(std::string_view reference) const;
    // Whether it has this image under its id, or a tag meant it when this agent made that.
    bool has_image(std::string_view id) const;
    // Also true for a while after the object is gone: its last events still come.
    bool ever_owned(std::string_view id) const { return seen_.contains(std::string(id)); }

    const std::map<std::string, OwnContainer, std::less<>>& containers() const { return containers_; }
    const std::map<std::string, OwnNetwork, std::less<>>& networks() const { return networks_; }
    const std::map<std::string, std::string>& volumes() const { return volumes_; }  // name → job
    const std::map<std::string, OwnImage>& images() const { return images_; }

  private:
    void remember(const std::string& id);
    void replay(const json::array& entry);
    void note(const json::array& entry) const;

    std::map<std::string, OwnContainer, std::less<>> containers_;
    std::map<std::string, OwnNetwork, std::less<>> networks_;
    std::map<std::string, std::string> volumes_;
    std::map<std::string, OwnImage> images_;
    std::map<std::string, OwnContainer, std::less<>> before_refresh_;  // for what lists do not tell
    std::map<std::string, std::string> execs_;
    std::vector<std::string> exec_order_;
    std::set<std::string> seen_;
    std::vector<std::string> seen_order_;
    int journal_ = -1;
};

// From the engine's answers.
OwnContainer container_from_list(const json::object& listed, const Names& names);
OwnNetwork network_from_json(const json::object& network, const Names& names);
std::string label_of(const json::object& object, std::string_view label);  // from "Labels" or "Config.Labels"
std::string job_of(const json::object& object);                            // locator, from the owner's label
const json::object* object_in(const json::object& object, std::string_view key);  // null unless it is one
std::string text_of(const json::object& object, std::string_view key);            // "" unless it is a string

}  // namespace supervisor::broker
