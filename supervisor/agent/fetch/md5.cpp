#include "agent/fetch/md5.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "sys/files.hpp"

namespace supervisor::agent::fetch {

void Md5::Free::operator()(EVP_MD_CTX* context) const {
    EVP_MD_CTX_free(context);
}

Md5::Md5() : context_(EVP_MD_CTX_new()) {
    EVP_DigestInit_ex(context_.get(), EVP_md5(), nullptr);
}

void Md5::update(std::string_view bytes) {
    EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

std::string Md5::hex() {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest = {};
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string text;
    for (unsigned int i = 0; i < size; ++i) {
        text += kDigits[digest[i] >> 4];
        text += kDigits[digest[i] & 15];
    }
    return text;
}

Result<std::string> md5_of_file(const std::string& path) {
    SUPERVISOR_TRY_ASSIGN(file, sys::open_file(path, O_RDONLY));
    Md5 sum;
    std::vector<char> piece(1 << 18);
    for (;;) {
        const auto got = ::read(file.get(), piece.data(), piece.size());
        if (got < 0) return fail(system_error("read", path));
        if (got == 0) return sum.hex();
        sum.update({piece.data(), static_cast<std::size_t>(got)});
    }
}

}  // namespace supervisor::agent::fetch
