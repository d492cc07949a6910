// A name server like that of Docker's user-defined networks: on 127.0.0.11 of the caller's network, at ports
// of its own choice. It knows one name, server.outer.example, and says that others do not exist.
#pragma once

#include <sys/types.h>

namespace supervisor::contain {

class FakeResolver {
  public:
    explicit FakeResolver(const char* answer);  // an IPv4 address
    ~FakeResolver();
    FakeResolver(const FakeResolver&) = delete;
    FakeResolver& operator=(const FakeResolver&) = delete;

  private:
    pid_t child_;
};

}  // namespace supervisor::contain
