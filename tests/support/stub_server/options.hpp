// The stub server's command line as plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace stub_server {

// Something that goes wrong with the answers to certain requests. First match wins; `remaining` counts down.
struct Fault {
    enum class Kind {
        Status,    // answer with this status instead
        Delay,     // wait, then answer
        Rate,      // so many bytes of the body a second
        Truncate,  // promise the whole body, close after so many bytes
        Stall,     // send so many bytes of the body, then nothing, connection open
        Corrupt,   // one byte of the body is wrong, the announced md5 is the right one
        Redirect,  // 302 to `target`
        Drop,      // close without an answer
    };
    std::string method;       // "" for any
    std::string path_suffix;  // "" for any
    Kind kind = Kind::Status;
    std::uint64_t amount = 0;  // status, milliseconds or bytes
    std::string target;
    std::uint64_t remaining = UINT64_MAX;
};

struct Job {
    std::vector<std::vector<std::string>> commands;  // one task each
    std::map<std::string, std::string> environment;
    std::chrono::milliseconds cancel_after{0};  // since the job was handed out; 0 = never
    std::chrono::milliseconds kill_after{0};
};

struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    std::string port_file;
    std::string files;  // directory; missing files are served as a few fixed bytes
    std::string record;
    std::string key;  // "" accepts any auto-register key
    std::string extra_properties;
    std::vector<Job> jobs;
    std::uint64_t repeat = 1;
    std::uint64_t exit_after_jobs = 0;
    std::chrono::milliseconds down_for{0};
    std::vector<Fault> faults;
    std::string tls_certificate, tls_key, client_ca;
    bool proxy = false;
};

supervisor::Result<Options> parse_options(const std::vector<std::string>& arguments);
// The text of --help.
std::string usage();

}  // namespace stub_server
