#include "stream.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "base/strings.hpp"

namespace stub_server {
namespace {

using supervisor::fail;

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

std::size_t number(std::string_view text, int base) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, base);
    return value;
}

std::string decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            out += static_cast<char>(number(text.substr(i + 1, 2), 16));
            i += 2;
        } else {
            out += text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

supervisor::Error tls_error(std::string_view what) {
    std::array<char, 256> text = {};
    ERR_error_string_n(ERR_get_error(), text.data(), text.size());
    return supervisor::Error(std::string(what) + ": " + text.data());
}

// Splits the target into path and query; takes scheme and host off an absolute one.
void take_target(Request& request) {
    std::string_view rest = request.target;
    if (const auto scheme = rest.find("://"); scheme != std::string_view::npos && rest.front() != '/') {
        request.absolute = true;
        const auto slash = rest.find('/', scheme + 3);
        rest = slash == std::string_view::npos ? "/" : rest.substr(slash);
    }
    const auto question = rest.find('?');
    request.path = decode(rest.substr(0, question));
    if (question != std::string_view::npos) request.query = parse_form(rest.substr(question + 1));
}

}  // namespace

std::map<std::string, std::string> parse_form(std::string_view text) {
    std::map<std::string, std::string> fields;
    for (const auto pair : supervisor::split(text, '&')) {
        const auto equals = pair.find('=');
        if (equals != std::string_view::npos)
            fields[decode(pair.substr(0, equals))] = decode(pair.substr(equals + 1));
    }
    return fields;
}

supervisor::Result<TlsContext> make_tls_context(const std::string& certificate, const std::string& key,
                                                const std::string& client_ca) {
    TlsContext context(SSL_CTX_new(TLS_server_method()));
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1) {
        return fail(tls_error("certificate " + certificate));
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
        return fail(tls_error("private key " + key));
    }
    if (!client_ca.empty()) {
        if (SSL_CTX_load_verify_locations(context.get(), client_ca.c_str(), nullptr) != 1) {
            return fail(tls_error("client CA " + client_ca));
        }
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    // Without a context of its own, a resumed session with a client certificate is refused.
    constexpr std::string_view kSessions = "stub";
    SSL_CTX_set_session_id_context(context.get(), reinterpret_cast<const unsigned char*>(kSessions.data()),
                                   kSessions.size());
    return context;
}

supervisor::Result<> Stream::start_tls(SSL_CTX* context) {
    tls_.reset(SSL_new(context));
    SSL_set_fd(tls_.get(), socket_.get());
    if (SSL_accept(tls_.get()) != 1) return fail(tls_error("TLS handshake"));
    return {};
}

std::string Stream::client_subject() const {
    if (tls_ == nullptr) return {};
    const std::unique_ptr<X509, decltype(&X509_free)> peer(SSL_get1_peer_certificate(tls_.get()), X509_free);
    if (peer == nullptr) return {};
    std::array<char, 256> text = {};
    return X509_NAME_oneline(X509_get_subject_name(peer.get()), text.data(), static_cast<int>(text.size()));
}

bool Stream::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto size = std::min<std::size_t>(bytes.size(), 1 << 20);
        const auto sent = tls_ ? SSL_write(tls_.get(), bytes.data(), static_cast<int>(size))
                               : ::send(socket_.get(), bytes.data(), size, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

bool Stream::fill() {
    std::array<char, 16384> piece;
    const auto got = tls_ ? SSL_read(tls_.get(), piece.data(), static_cast<int>(piece.size()))
                          : ::recv(socket_.get(), piece.data(), piece.size(), 0);
    if (got <= 0) return false;
    buffer_.append(piece.data(), static_cast<std::size_t>(got));
    return true;
}

std::optional<std::string> Stream::read_line() {
    auto end = buffer_.find('\n');
    while (end == std::string::npos) {
        if (buffer_.size() > 65536 || !fill()) return std::nullopt;
        end = buffer_.find('\n');
    }
    auto line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return line;
}

bool Stream::read_exactly(std::string& out, std::size_t size) {
    while (buffer_.size() < size) {
        if (!fill()) return false;
    }
    out.append(buffer_, 0, size);
    buffer_.erase(0, size);
    return true;
}

bool Stream::read_chunks(std::string& out) {
    while (const auto line = read_line()) {
        const auto size = number(*line, 16);
        if (!read_exactly(out, size) || !read_line()) return false;
        if (size == 0) return true;
    }
    return false;
}

bool Stream::read_headers(Request& request) {
    while (const auto line = read_line()) {
        if (line->empty()) return true;
        const auto colon = line->find(':');
        if (colon == std::string::npos) return false;
        request.headers[lower(line->substr(0, colon))] = supervisor::trim(line->substr(colon + 1));
    }
    return false;
}

std::optional<Request> Stream::read_request() {
    const auto line = read_line();
    const auto words = supervisor::split_words(line ? *line : std::string_view());
    if (words.size() != 3) return std::nullopt;
    Request request;
    request.method = words[0];
    request.target = words[1];
    take_target(request);
    if (!read_headers(request)) return std::nullopt;
    if (request.headers["expect"] == "100-continue" && !write("HTTP/1.1 100 Continue\r\n\r\n"))
        return std::nullopt;
    const bool complete = request.headers["transfer-encoding"] == "chunked"
                              ? read_chunks(request.body)
                              : read_exactly(request.body, number(request.headers["content-length"], 10));
    if (!complete) return std::nullopt;
    return request;
}

}  // namespace stub_server
