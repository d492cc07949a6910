// One client connection, plain or TLS, blocking; and HTTP/1.1 on it.
#pragma once

#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace stub_server {

struct Request {
    std::string method;
    std::string target;  // as sent
    std::string path;    // without query, scheme and host
    std::map<std::string, std::string> query;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
    bool absolute = false;  // the client took us for a proxy
};

// "a=1&b=x%20y" decoded.
std::map<std::string, std::string> parse_form(std::string_view text);

struct TlsFree {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* tls) const { SSL_free(tls); }
};
using TlsContext = std::unique_ptr<SSL_CTX, TlsFree>;

// client_ca "" asks for no client certificate.
supervisor::Result<TlsContext> make_tls_context(const std::string& certificate, const std::string& key,
                                                const std::string& client_ca);

class Stream {
  public:
    explicit Stream(supervisor::UniqueFd socket) : socket_(std::move(socket)) {}

    // From here on everything goes through TLS. The error names the client's fault.
    supervisor::Result<> start_tls(SSL_CTX* context);
    // The subject of the client's certificate, "" without one.
    std::string client_subject() const;

    // nullopt: the client has gone, or what it sent is no HTTP.
    std::optional<Request> read_request();
    bool write(std::string_view bytes);

  private:
    bool fill();
    std::optional<std::string> read_line();
    bool read_exactly(std::string& out, std::size_t size);
    bool read_chunks(std::string& out);
    bool read_headers(Request& request);

    supervisor::UniqueFd socket_;
    std::unique_ptr<SSL, TlsFree> tls_;
    std::string buffer_;
};

}  // namespace stub_server
