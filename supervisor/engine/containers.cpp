#include "engine/containers.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "sys/unix_socket.hpp"

namespace supervisor::engine {
namespace {

// Adds prefix + member `key` of each object in the array.
void collect(std::set<std::string>& into, const json::value& list, std::string_view key,
             const std::string& prefix) {
    if (!list.is_array()) return;
    for (const auto& entry : list.get_array()) {
        const auto* object = entry.if_object();
        const auto* member = object == nullptr ? nullptr : object->if_contains(key);
        if (member != nullptr && member->is_string()) into.insert(prefix + std::string(member->get_string()));
    }
}

Result<std::vector<std::string>> running_containers(const ApiClient& client, Deadline deadline) {
    SUPERVISOR_TRY_ASSIGN(
        list, client.get("/containers/json", deadline));  // without all=1: running and paused ones
    std::set<std::string> ids;
    collect(ids, list, "Id", "");
    return std::vector<std::string>(ids.begin(), ids.end());
}

// Sends the request and does not wait: the engine works on all of them side by side.
UniqueFd send_kill(const std::string& socket_path, const std::string& id) {
    auto socket = sys::connect_unix(socket_path);
    if (!socket) return {};
    const std::string head = fmt::format(
        "POST /containers/{}/kill?signal=KILL HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n", id);
    if (::write(socket->get(), head.data(), head.size()) != static_cast<ssize_t>(head.size())) return {};
    return std::move(*socket);
}

// Waits until every request was answered. The answer's text does not matter: whoever is still running is
// listed again.
void await_answers(std::vector<UniqueFd>& sockets, const Clock& clock, Deadline deadline) {
    for (auto& socket : sockets) {
        char answer[4096];
        while (socket && !deadline.expired(clock)) {
            pollfd entry{socket.get(), POLLIN, 0};
            if (::poll(&entry, 1, static_cast<int>(deadline.remaining(clock).count())) <= 0) break;
            if (::read(socket.get(), answer, sizeof answer) <= 0) socket.reset();
        }
    }
}

std::string removal_path(const std::string& object) {
    const auto slash = object.find('/');
    const std::string kind = object.substr(0, slash);
    const std::string name = object.substr(slash + 1);
    if (kind == "container") return "/containers/" + name + "?force=1&v=1";
    if (kind == "network") return "/networks/" + name;
    return "/volumes/" + name;
}

}  // namespace

Result<int> kill_all_containers(const std::string& socket_path, const Clock& clock, Deadline deadline) {
    const ApiClient client(socket_path, clock);
    int most = 0;
    // Again and again: a compose or a restart policy may start one more while the first round is under way.
    for (int round = 0; round < 10 && !deadline.expired(clock); ++round) {
        SUPERVISOR_TRY_ASSIGN(ids, running_containers(client, deadline));
        if (ids.empty()) break;
        most = std::max(most, static_cast<int>(ids.size()));
        std::vector<UniqueFd> sockets;
        for (const auto& id : ids) sockets.push_back(send_kill(socket_path, id));
        await_answers(sockets, clock, deadline);
    }
    return most;
}

Result<std::set<std::string>> list_objects(const ApiClient& client, Deadline deadline) {
    std::set<std::string> objects;
    SUPERVISOR_TRY_ASSIGN(containers, client.get("/containers/json?all=1", deadline));
    collect(objects, containers, "Id", "container/");
    SUPERVISOR_TRY_ASSIGN(networks, client.get("/networks", deadline));
    collect(objects, networks, "Id", "network/");
    SUPERVISOR_TRY_ASSIGN(volumes, client.get("/volumes", deadline));
    if (volumes.is_object()) collect(objects, volumes.get_object()["Volumes"], "Name", "volume/");
    return objects;
}

Result<int> remove_new_objects(const ApiClient& client, const std::set<std::string>& before,
                               const CleanupScope& scope, Deadline deadline) {
    SUPERVISOR_TRY_ASSIGN(now, list_objects(client, deadline));
    int removed = 0;
    // The set is sorted: containers come before the networks and volumes that they use.
    for (const auto& object : now) {
        if (before.count(object) > 0 || (!scope.everything && !object.starts_with("container/"))) continue;
        const auto answer = client.request("DELETE", removal_path(object), deadline);
        if (!answer) return fail(answer.error());
        removed += answer->status < 300 ? 1 : 0;
    }
    if (scope.everything) SUPERVISOR_TRY(client.request("POST", "/images/prune", deadline));
    return removed;
}

}  // namespace supervisor::engine
