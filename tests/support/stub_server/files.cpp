#include "files.hpp"

#include <openssl/evp.h>
#include <sys/stat.h>

#include <array>
#include <fstream>
#include <sstream>

namespace stub_server {
namespace {

// Changes whenever the file does; 0 for a file that is not there.
long long stamp_of(const std::string& path) {
    struct stat info = {};
    if (::stat(path.c_str(), &info) != 0) return 0;
    return info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec + info.st_size;
}

// 22 bytes: the end record of a zip without entries, which agents accept as their plugins.
std::string placeholder(const std::string& name) {
    if (name == "agent-plugins.zip") return std::string("PK\005\006", 4) + std::string(18, '\0');
    return "placeholder for " + name + '\n';
}

}  // namespace

supervisor::Result<std::string> read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return supervisor::fail(supervisor::system_error("read", path));
    std::ostringstream out;
    out << in.rdbuf();
    return std::move(out).str();
}

std::string md5_hex(std::string_view bytes) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest = {};
    unsigned int size = 0;
    EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_md5(), nullptr);
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
        constexpr std::string_view digits = "0123456789abcdef";
        hex += digits[digest[i] >> 4];
        hex += digits[digest[i] & 15];
    }
    return hex;
}

std::shared_ptr<const ServedFile> Files::get(const std::string& name) {
    const std::lock_guard lock(mutex_);
    auto& known = entry(name);
    const auto path = directory_ + '/' + name;
    const auto stamp = directory_.empty() ? 0 : stamp_of(path);
    if (known.file == nullptr || known.stamp != stamp) {
        auto bytes = stamp == 0 ? placeholder(name) : read_file(path).value_or(placeholder(name));
        auto md5 = md5_hex(bytes);
        known.file = std::make_shared<const ServedFile>(ServedFile{std::move(bytes), std::move(md5)});
        known.stamp = stamp;
    }
    return known.file;
}

Files::Entry& Files::entry(const std::string& name) {
    for (auto& known : entries_) {
        if (known->name == name) return *known;
    }
    return *entries_.emplace_back(std::make_unique<Entry>(Entry{name, -1, nullptr}));
}

}  // namespace stub_server
