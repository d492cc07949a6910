#pragma once
// Where the commands of a page run: the built supervisor in PATH, and a `docker` that uses the image under
// test in place of the one that the page names, and marks what it starts so that all of it can be removed.

#include <string>
#include <vector>

#include "docs/page.hpp"
#include "support/command.hpp"

namespace docs_test {

class Sandbox {
  public:
    explicit Sandbox(const Page& page);
    Sandbox(const Sandbox&) = delete;
    Sandbox& operator=(const Sandbox&) = delete;
    ~Sandbox();

    [[nodiscard]] test_support::CommandResult run(const Block& block) const;
    [[nodiscard]] test_support::CommandResult build(const Block& block) const;

  private:
    [[nodiscard]] std::vector<std::string> environment() const;
    void remove_containers() const;

    std::string folder_;
    std::string label_;
    std::vector<std::string> volumes_;  // that the page makes
};

// `text` with the image under test in place of gocd-agent-dind:dev.
std::string with_tested_image(std::string text);

}  // namespace docs_test
