#include "engine/check.hpp"

#include "base/strings.hpp"

namespace supervisor::engine {
namespace {

std::string text_at(const json::value& value, std::string_view key) {
    const auto* object = value.if_object();
    const auto* member = object == nullptr ? nullptr : object->if_contains(key);
    const auto* text = member == nullptr ? nullptr : member->if_string();
    return text == nullptr ? std::string() : std::string(*text);
}

}  // namespace

// /version is answered with 200 even when containerd does not answer: then only this component is missing.
bool has_containerd(const json::value& version) {
    const auto* object = version.if_object();
    const auto* components = object == nullptr ? nullptr : object->if_contains("Components");
    if (components == nullptr || !components->is_array()) return false;
    for (const auto& component : components->get_array()) {
        if (text_at(component, "Name") == "containerd") return true;
    }
    return false;
}

CheckResult check_engine(const ApiClient& client, const CheckRequest& request, Deadline deadline) {
    if (auto ping = client.request("GET", "/_ping", deadline); !ping || ping->status != 200) {
        return {Health::DaemonSick,
                ping ? "GET /_ping: status " + std::to_string(ping->status) : ping.error().message()};
    }
    const auto version = client.get("/version", deadline);
    if (!version) return {Health::ContainerdSick, version.error().message()};
    if (!has_containerd(*version)) return {Health::ContainerdSick, "dockerd has lost its containerd"};
    CheckResult result{Health::Well, "Docker " + text_at(*version, "Version")};
    if (request.expected_driver.empty()) return result;
    const auto info = client.get("/info", deadline);
    if (!info) return {Health::DaemonSick, info.error().message()};
    const std::string driver = text_at(*info, "Driver");
    if (driver != request.expected_driver) {
        return {Health::WrongDriver,
                "storage driver is " + driver + ", planned was " + request.expected_driver};
    }
    result.reason += ", storage driver " + driver;
    return result;
}

}  // namespace supervisor::engine
