// What the user already decided for dockerd: the file /etc/docker/daemon.json and DOCKERD_ADDITIONAL_ARGS,
// read into one table under the file's names for things ("dns", "registry-mirrors", "storage-driver").
// dockerd refuses a setting that is given both ways; so do we, earlier and naming both places.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace supervisor::engine {

class UserChoices {
  public:
    // `file_text` is daemon.json's content ("" if there is none), `file_name` its path for messages.
    static Result<UserChoices> read(std::string_view file_text, const std::string& file_name,
                                    const std::vector<std::string>& arguments);

    bool has(std::string_view key) const { return values_.contains(key); }
    // A value given for `key`, by whichever way; null if none.
    const json::value* find(std::string_view key) const;
    std::string text(std::string_view key) const;  // "" if none
    std::optional<bool> boolean(std::string_view key) const;
    std::vector<std::string> list(std::string_view key) const;
    // A member of the map `key`, as in features.containerd-snapshotter.
    std::optional<bool> feature(std::string_view name) const;
    // "DOCKERD_ADDITIONAL_ARGS" or the file's name.
    std::string origin(std::string_view key) const;
    bool from_arguments(std::string_view key) const { return argument_keys_.contains(key); }

    // The file's object, and the arguments as they were written, without --config-file
    // and the usual socket.
    const json::object& file() const { return file_; }
    const std::vector<std::string>& arguments() const { return arguments_; }
    // --host/-H and "hosts" together, without /var/run/docker.sock, which is there anyway.
    std::vector<std::string> hosts() const;

  private:
    Result<> take_arguments(const std::vector<std::string>& arguments);
    Result<std::size_t> take_argument(const std::vector<std::string>& arguments, std::size_t at);

    json::object values_;  // both, by key
    json::object file_;
    json::object argument_keys_;  // keys that arguments gave
    std::vector<std::string> arguments_;
    std::string file_name_;
};

// The path that --config-file names in `arguments`, or `otherwise`.
std::string configuration_file_of(const std::vector<std::string>& arguments, const std::string& otherwise);

// What is in `file`; only the `usual` one may be missing.
Result<std::string> configuration_text(const std::string& file, const std::string& usual);

}  // namespace supervisor::engine
