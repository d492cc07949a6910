// md5 sums as the server announces them: lower-case hex.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace supervisor::agent::fetch {

class Md5 {
  public:
    Md5();
    void update(std::string_view bytes);
    // Ends the sum; further use is an error.
    std::string hex();

  private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const;
    };
    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

Result<std::string> md5_of_file(const std::string& path);

}  // namespace supervisor::agent::fetch
