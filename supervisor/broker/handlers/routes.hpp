// The table of endpoints. What is not in it does not exist for a client.
#pragma once

#include <span>
#include <string_view>

#include "broker/traffic/exchange.hpp"

namespace supervisor::broker {

class Broker;
using Handler = void (*)(Broker& broker, const ExchangePtr& exchange);

struct Route {
    std::string_view method;
    std::string_view pattern;  // "/containers/{id}/json"; {name...} may contain slashes (image references)
    Handler handler;
    BodyUse body = BodyUse::None;
    // Keys that the engine may see, separated by blanks; a '*' marks those that may be repeated.
    std::string_view query = {};
    bool mutates = false;  // goes to the audit log
};

std::span<const Route> routes();

struct RouteMatch {
    const Route* route = nullptr;
    std::string name;
};
// `segments` are decoded. No route: route is null.
RouteMatch match_route(std::string_view method, const std::vector<std::string>& segments);

// The route's, except for a pull, which shares its route with imports and takes no body.
BodyUse body_use(const Route& route, const Query& query);

// Drops keys that the route does not know; an error for a repeated key that may come once.
Result<Query> allowed_query(const Route& route, const Query& query);

}  // namespace supervisor::broker
