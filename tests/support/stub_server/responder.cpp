#include "responder.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace stub_server {
namespace {

using std::chrono::milliseconds;

bool fits(const Fault& fault, const Request& request) {
    return fault.remaining > 0 && (fault.method.empty() || fault.method == request.method) &&
           request.path.ends_with(fault.path_suffix);
}

std::string head_of(const Answer& answer, std::size_t size) {
    auto head =
        "HTTP/1.1 " + std::to_string(answer.status) + (answer.status < 400 ? " OK" : " Error") + "\r\n";
    for (const auto& [name, value] : answer.headers) head += name + ": " + value + "\r\n";
    return head + "Content-Length: " + std::to_string(size) + "\r\n\r\n";
}

// Long enough for any client to lose patience, short enough for a test that forgot to kill us.
void hang() {
    std::this_thread::sleep_for(std::chrono::minutes(10));
}

bool write_slowly(Stream& stream, std::string_view body, std::uint64_t bytes_a_second, std::uint64_t& sent) {
    const auto piece = std::max<std::size_t>(1, bytes_a_second / 20);
    while (!body.empty()) {
        const auto part = body.substr(0, piece);
        if (!stream.write(part)) return false;
        sent += part.size();
        body.remove_prefix(part.size());
        std::this_thread::sleep_for(milliseconds(50));
    }
    return true;
}

bool write_body(Stream& stream, std::string_view body, const std::optional<Fault>& fault,
                std::uint64_t& sent) {
    if (fault && fault->kind == Fault::Kind::Rate) return write_slowly(stream, body, fault->amount, sent);
    const bool partly = fault && (fault->kind == Fault::Kind::Truncate || fault->kind == Fault::Kind::Stall);
    const auto part = partly ? body.substr(0, fault->amount) : body;
    if (!stream.write(part)) return false;
    sent += part.size();
    if (fault && fault->kind == Fault::Kind::Stall) hang();
    return !partly;
}

void change(Answer& answer, const Fault& fault) {
    if (fault.kind == Fault::Kind::Status) {
        answer = Answer{
            .status = static_cast<int>(fault.amount), .headers = {}, .body = "as ordered\n", .file = {}};
    } else if (fault.kind == Fault::Kind::Redirect) {
        answer = Answer{.status = 302, .headers = {{"Location", fault.target}}, .body = {}, .file = {}};
    } else if (fault.kind == Fault::Kind::Corrupt && answer.file && !answer.file->bytes.empty()) {
        answer.body = answer.file->bytes;
        answer.body.back() = static_cast<char>(answer.body.back() ^ 1);
        answer.file = nullptr;
    } else if (fault.kind == Fault::Kind::Delay) {
        std::this_thread::sleep_for(milliseconds(fault.amount));
    }
}

}  // namespace

std::optional<Fault> Faults::take(const Request& request) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(faults_.begin(), faults_.end(),
                                    [&](const Fault& fault) { return fits(fault, request); });
    if (found == faults_.end()) return std::nullopt;
    --found->remaining;
    return *found;
}

bool respond(Stream& stream, const Request& request, Answer& answer, const std::optional<Fault>& fault,
             std::uint64_t& sent) {
    if (fault && fault->kind == Fault::Kind::Drop) return false;
    if (fault) change(answer, *fault);
    const std::string_view body = answer.file ? std::string_view(answer.file->bytes) : answer.body;
    if (!stream.write(head_of(answer, body.size()))) return false;
    return request.method == "HEAD" || write_body(stream, body, fault, sent);
}

}  // namespace stub_server
