#include "agent/fetch/http.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "base/strings.hpp"
#include "sys/files.hpp"

namespace supervisor::agent::fetch {
namespace {

struct EasyFree {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

// One transfer under way.
struct Running {
    std::unique_ptr<CURL, EasyFree> easy;
    Transfer* transfer = nullptr;
    std::optional<Error> sink_error;
    std::array<char, CURL_ERROR_SIZE> detail = {};
};

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
    auto& headers = static_cast<Running*>(user)->transfer->headers;
    const std::string_view line(data, size * count);
    if (line.starts_with("HTTP/")) headers.clear();  // the answer to a redirect came before
    const auto colon = line.find(':');
    if (colon != std::string_view::npos) {
        std::string name(line.substr(0, colon));
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        headers[name] = trim(line.substr(colon + 1));
    }
    return size * count;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
    auto& running = *static_cast<Running*>(user);
    const std::string_view piece(data, size * count);
    if (auto taken = running.transfer->sink(piece); !taken) {
        running.sink_error = std::move(taken).error();
        return 0;
    }
    return piece.size();
}

// Texts with times and ports in them would make every attempt look like a new problem.
std::string reason_of(CURLcode code, const Running& running) {
    const bool tls = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
                     code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CACERT_BADFILE;
    std::string text = curl_easy_strerror(code);
    if (tls && running.detail[0] != '\0') text += std::string(": ") + running.detail.data();
    return text;
}

Result<> outcome_of(CURLcode code, const Running& running) {
    const auto url = without_user(running.transfer->url);
    if (running.sink_error) return fail(*running.sink_error);
    if (code != CURLE_OK) return fail(url + ": " + reason_of(code, running));
    long status = 0;
    curl_easy_getinfo(running.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status == 200) return {};
    return fail(url + ": the server answered " + std::to_string(status));
}

}  // namespace

class Http::Impl {
  public:
    explicit Impl(const Options& options) : options_(options), multi_(curl_multi_init()) {
        if (!options.access.client_key_passphrase_file.empty()) {
            passphrase_ = trim(sys::read_file_or(options.access.client_key_passphrase_file));
        }
    }
    ~Impl() { curl_multi_cleanup(multi_); }

    void run(const std::vector<Transfer*>& transfers, bool use_environment_proxy) {
        std::vector<std::unique_ptr<Running>> running;
        for (auto* transfer : transfers) {
            running.push_back(prepare(*transfer, use_environment_proxy));
            curl_multi_add_handle(multi_, running.back()->easy.get());
        }
        int active = 1;
        while (active > 0 && curl_multi_perform(multi_, &active) == CURLM_OK) {
            collect(running);
            if (active > 0) curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
        }
        collect(running);
        for (const auto& one : running) curl_multi_remove_handle(multi_, one->easy.get());
    }

  private:
    std::unique_ptr<Running> prepare(Transfer& transfer, bool use_environment_proxy) const {
        auto running = std::make_unique<Running>();
        running->easy.reset(curl_easy_init());
        running->transfer = &transfer;
        transfer.outcome = fail(without_user(transfer.url) + ": not finished");
        auto* easy = running->easy.get();
        curl_easy_setopt(easy, CURLOPT_URL, transfer.url.c_str());
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, running.get());
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, running.get());
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, running->detail.data());
        set_transport(easy);
        set_proxy(easy, use_environment_proxy);
        set_tls(easy);
        return running;
    }

    void set_transport(CURL* easy) const {
        // Some gateways refuse who does not say what he is.
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "gocd-agent-fetch");
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 5L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.stall.count()));
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 5L);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        // Never from an encrypted connection to a plain one.
        const bool encrypted = options_.server.starts_with("https:");
        curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, encrypted ? "https" : "http,https");
    }

    void set_proxy(CURL* easy, bool use_environment_proxy) const {
        const auto& proxy = options_.access.proxy;
        if (proxy == "direct" || (proxy.empty() && !use_environment_proxy)) {
            curl_easy_setopt(easy, CURLOPT_PROXY, "");
        } else if (!proxy.empty()) {
            curl_easy_setopt(easy, CURLOPT_PROXY, proxy.c_str());
            curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
        }
    }

    void set_tls(CURL* easy) const {
        const auto& access = options_.access;
        const auto set_text = [&](CURLoption option, const std::string& value) {
            if (!value.empty()) curl_easy_setopt(easy, option, value.c_str());
        };
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, access.verification == Verification::None ? 0L : 1L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, access.verification == Verification::Full ? 2L : 0L);
        set_text(CURLOPT_CAINFO, access.root_certificates);
        // As in Java, the roots that were given are the only ones.
        if (!access.root_certificates.empty()) curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
        set_text(CURLOPT_SSLCERT, access.client_certificate);
        set_text(CURLOPT_SSLKEY, access.client_key);
        set_text(CURLOPT_KEYPASSWD, passphrase_);
    }

    void collect(const std::vector<std::unique_ptr<Running>>& running) {
        int left = 0;
        while (const auto* message = curl_multi_info_read(multi_, &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            for (const auto& one : running) {
                if (one->easy.get() == message->easy_handle) {
                    one->transfer->outcome = outcome_of(message->data.result, *one);
                }
            }
        }
    }

    const Options& options_;
    CURLM* multi_;
    std::string passphrase_;
};

Http::Http(const Options& options) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    impl_ = std::make_unique<Impl>(options);
}

Http::~Http() = default;

void Http::run(std::vector<Transfer*> transfers, bool use_environment_proxy) {
    impl_->run(transfers, use_environment_proxy);
}

}  // namespace supervisor::agent::fetch
