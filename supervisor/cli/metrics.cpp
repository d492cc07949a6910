#include "cli/metrics.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>

#include "base/strings.hpp"
#include "base/unique_fd.hpp"
#include "cli/docker_side.hpp"
#include "sys/files.hpp"

namespace supervisor::cli {
namespace {

constexpr int kPatience = 2'000;  // milliseconds for a client to say what it wants

const json::value* member(const json::object& object, std::string_view name) {
    return object.if_contains(name);
}

const json::object* object_member(const json::object& object, std::string_view name) {
    const auto* value = member(object, name);
    return value == nullptr ? nullptr : value->if_object();
}

std::string number_of(const json::value& value) {
    if (value.is_bool()) return value.get_bool() ? "1" : "0";
    return value.is_number() ? to_text(value) : "0";
}

void gauge(std::string& out, const std::string& name, const char* type, const char* help,
           const json::value* value) {
    if (value == nullptr) return;
    out += fmt::format(
        "# HELP gocd_supervisor_{0} {1}\n# TYPE gocd_supervisor_{0} {2}\ngocd_supervisor_{0} {3}\n", name,
        help, type, number_of(*value));
}

void services(std::string& out, const json::object& status) {
    const auto* list = member(status, "services");
    if (list == nullptr || !list->is_array()) return;
    std::string up =
        "# HELP gocd_supervisor_service_up Whether the service is ready\n# TYPE gocd_supervisor_service_up "
        "gauge\n";
    std::string restarts =
        "# HELP gocd_supervisor_service_restarts_total Restarts since the start\n# TYPE "
        "gocd_supervisor_service_restarts_total counter\n";
    for (const auto& entry : list->get_array()) {
        const auto* service = entry.if_object();
        const auto* name = service == nullptr ? nullptr : member(*service, "name");
        const auto* state = service == nullptr ? nullptr : member(*service, "state");
        const auto* count = service == nullptr ? nullptr : member(*service, "restarts");
        if (name == nullptr || state == nullptr || count == nullptr || !name->is_string() ||
            !state->is_string())
            continue;
        up += fmt::format("gocd_supervisor_service_up{{service={}}} {}\n", to_text(*name),
                          state->get_string() == "ready" ? 1 : 0);
        restarts += fmt::format("gocd_supervisor_service_restarts_total{{service={}}} {}\n", to_text(*name),
                                number_of(*count));
    }
    out += up + restarts;
}

void broker_counts(std::string& out, const json::object& status) {
    const auto* broker = object_member(status, "broker");
    if (broker == nullptr) return;
    for (const auto& [name, value] : *broker)
        gauge(out, "broker_" + std::string(name), "gauge", "Counted by the broker", &value);
}

// "127.0.0.1:9100", "0.0.0.0:9100", ":9100". No names: nothing here asks a resolver.
Result<sockaddr_in> parse_address(std::string_view text) {
    const auto colon = text.rfind(':');
    const auto port = colon == std::string_view::npos ? Result<std::uint64_t>(fail("no port"))
                                                      : parse_unsigned(text.substr(colon + 1), 65'535);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    const std::string host(text.substr(0, colon == std::string_view::npos ? 0 : colon));
    if (!port || ::inet_pton(AF_INET, host.empty() ? "0.0.0.0" : host.c_str(), &address.sin_addr) != 1) {
        return fail(fmt::format("--metrics-listen: '{}' is not ADDRESS:PORT, for example 0.0.0.0:9100",
                                printable(text)));
    }
    address.sin_port = htons(static_cast<std::uint16_t>(*port));
    return address;
}

Result<UniqueFd> listen_on(std::string_view text) {
    SUPERVISOR_TRY_ASSIGN(address, parse_address(text));
    UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    (void)::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener.get(), 16) != 0) {
        return fail(system_error("listen for metrics on", text));
    }
    return listener;
}

std::string answer_to(std::string_view request, const std::string& directory) {
    if (!request.starts_with("GET /metrics "))
        return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const auto text = sys::read_file(directory + "/status.json");
    const auto status = text ? parse_json(*text) : Result<json::value>(fail("none"));
    const std::string body =
        status && status->is_object() ? metrics_text(status->get_object()) : std::string();
    return fmt::format(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: "
        "close\r\n\r\n{}",
        body.size(), body);
}

void serve_client(UniqueFd client, const std::string& directory) {
    pollfd entry{client.get(), POLLIN, 0};
    char request[2048];
    if (::poll(&entry, 1, kPatience) <= 0) return;
    const auto got = ::recv(client.get(), request, sizeof request, MSG_DONTWAIT);
    if (got <= 0) return;
    const std::string answer = answer_to(std::string_view(request, static_cast<std::size_t>(got)), directory);
    (void)::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

std::string metrics_text(const json::object& status) {
    std::string out;
    gauge(out, "ready", "gauge", "Whether jobs can run and use Docker", member(status, "ready"));
    if (const auto* job = object_member(status, "job")) {
        gauge(out, "job_running", "gauge", "Whether a job runs", member(*job, "running"));
        gauge(out, "jobs_finished_total", "counter", "Jobs that ended", member(*job, "finished"));
    }
    if (const auto* agent = object_member(status, "agent")) {
        gauge(out, "agent_connected", "gauge", "Whether the server knows the agent",
              member(*agent, "connected"));
        gauge(out, "agent_hangs_total", "counter", "Times that the agent did not answer for half a minute",
              member(*agent, "hangs"));
    }
    gauge(out, "orphans_reaped_total", "counter", "Processes that ended without a parent",
          member(status, "orphans_reaped"));
    gauge(out, "dropped_log_lines_total", "counter", "Lines lost because nobody read them",
          member(status, "dropped_log_lines"));
    services(out, status);
    broker_counts(out, status);
    return out;
}

int serve_metrics(const std::vector<std::string>& words) {
    const auto listener = listen_on(words.at(1));
    if (!listener) {
        (void)sys::write_all(STDERR_FILENO, listener.error().message() + "\n");
        return kExitUsage;
    }
    for (;;) {
        UniqueFd client(::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (client) serve_client(std::move(client), words.at(2));
    }
}

}  // namespace supervisor::cli
