// Which images a job may see and move. Images are shared by all of an engine: those without an owner's label
// are for everyone to use, those that another agent built are not shown.
#pragma once

#include <functional>
#include <optional>

#include "broker/broker_core.hpp"

namespace supervisor::broker {

// Whether the reference is one in a path too: it has no segment that would change what the engine sees.
bool is_plain_reference(const std::string& reference);

// `image`: an element of a list, or an inspect answer.
bool is_visible_image(const Broker& broker, const json::object& image);

// Which containers use it is told for each of an image's platforms, if the client asks: only own ones are
// left.
void hide_other_users(const Broker& broker, json::object& image);

// How a client of this version of the API asks the engine for an image.
std::string inspect_path(const Exchange& exchange, const std::string& reference);

enum class MissingImage {
    LeaveToEngine,  // continue without: the engine will say so in its own way
    Answer,         // give the client the engine's answer
    Refuse,         // with 400, where clients would take 404 for another image's
};
// Inspects `reference` and continues with the answer if the client may see it. A tag that this agent made
// means the image that it had then (see OwnImage): use the answer's Id.
void with_visible_image(Broker& broker, const ExchangePtr& exchange, const std::string& reference,
                        MissingImage missing, std::function<void(const std::optional<json::object>&)> then);

// A tag is one for all agents of the engine: if another one has moved one that this agent made, it goes back
// to this agent's image before `then`, which gets the reference again. A tag that is not this agent's stays
// where it is; `then` gets the id of the image that this agent means by it.
void with_own_tag(Broker& broker, const ExchangePtr& exchange, const std::string& reference,
                  const std::optional<json::object>& image,
                  std::function<void(const std::string& meant)> then);
// The image of this agent that a tag means which another one has moved since; else null.
const OwnImage* moved_image(Broker& broker, const std::string& reference,
                            const std::optional<json::object>& image);

// Continues if this agent may make `references` mean another image: tags that do not
// exist yet, that it made, or that are some agent's build.
void with_free_tags(Broker& broker, const ExchangePtr& exchange, std::vector<std::string> references,
                    std::function<void()> then);

}  // namespace supervisor::broker
