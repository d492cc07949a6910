// config/autoregister.properties: what the agent reads when it registers. The file lies where jobs can read
// it, so it holds the key only while an agent without a token needs it.
//
// The agent reads the file once, when its JVM starts, and after its registration turns the used keys into
// comments with their values; so ours must be written again after that (the line of the first cookie is later
// in the agent's own thread than its rewriting).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/settings.hpp"

namespace supervisor::agent {

// A value as java.util.Properties reads it back unchanged.
std::string escape_property(std::string_view value);
// The value of a key in a properties file, unescaped; the last one wins. Continued lines are not joined.
std::optional<std::string> find_property(std::string_view text, std::string_view key);

// The whole file, for an agent without a token.
std::string render_for_registration(const Registration& registration);
// For a registered agent: only what it needs to know that it is elastic.
std::string render_registered(const Registration& registration);

// What a file says that somebody else wrote. `commented` counts lines too that an agent has turned into
// comments after its registration (the last line of a key wins, a live one before a comment).
enum class Comments { Ignored, Count };
Registration parse_registration(std::string_view text, Comments comments);
// Whether key, resources, environments or host name stand in it, be it in a comment.
bool holds_registration_data(std::string_view text);

// True when guid and token in the configuration directory belong to another elastic agent than this one (a
// directory that outlived its container): the server would answer 403 for ever.
bool belongs_to_other_agent(std::string_view existing_properties, const Registration& registration);

}  // namespace supervisor::agent
