#include "docs/sandbox.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>

#include "support/docker.hpp"

namespace docs_test {

namespace fs = std::filesystem;
using std::chrono::seconds;
using test_support::docker;

namespace {

constexpr const char* kNamedImage = "gocd-agent-dind:dev";

std::string variable(const char* name, std::string otherwise) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : std::move(otherwise);
}

std::string tested_image() {
    return variable("E2E_IMAGE", "gocd-agent-dind:test");
}

// $1 is docker's subcommand; options of `docker run` follow it directly.
constexpr const char* kShim = R"(#!/usr/bin/env bash
words=()
for word; do words+=("${word//gocd-agent-dind:dev/$DOCS_IMAGE}"); done
case ${words[0]-} in
    run | create) words=("${words[0]}" --label "$DOCS_LABEL" "${words[@]:1}") ;;
esac
exec "$DOCS_DOCKER" "${words[@]}"
)";

std::string docker_path() {
    const auto found =
        test_support::run_command({"bash", "-c", "type -P \"$0\"", variable("E2E_DOCKER", "docker")});
    return test_support::trimmed(found.out);
}

// Named ones of "-v NAME:/path".
std::vector<std::string> volumes_of(const Page& page) {
    static const std::regex pattern(R"(-v ([a-z][a-z0-9_-]*):/)");
    std::vector<std::string> names;
    for (const auto& block : page.blocks) {
        if (!block.runs()) continue;
        for (std::sregex_iterator match(block.text.begin(), block.text.end(), pattern), end; match != end;
             ++match) {
            // One that is there already belongs to somebody.
            if (!docker({"volume", "inspect", (*match)[1]}).ok()) names.push_back((*match)[1]);
        }
    }
    return names;
}

}  // namespace

std::string with_tested_image(std::string text) {
    const std::string named = kNamedImage;
    for (auto at = text.find(named); at != std::string::npos; at = text.find(named, at))
        text.replace(at, named.size(), tested_image());
    return text;
}

Sandbox::Sandbox(const Page& page)
    : label_("gocd-docs=" + std::to_string(getpid())), volumes_(volumes_of(page)) {
    std::string pattern = "/tmp/gocd-docs.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    const fs::path shim = fs::path(folder_) / "docker";
    std::ofstream(shim) << kShim;
    fs::permissions(shim, fs::perms::owner_all);
    fs::create_symlink(SUPERVISOR, fs::path(folder_) / "gocd-supervisor");
}

Sandbox::~Sandbox() {
    remove_containers();
    for (const auto& name : volumes_) docker({"volume", "rm", "-f", name});
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

void Sandbox::remove_containers() const {
    const auto listed = docker({"ps", "-aq", "--filter", "label=" + label_});
    for (const auto& id : test_support::lines(listed.out)) docker({"rm", "-f", "-v", id});
}

std::vector<std::string> Sandbox::environment() const {
    return {"PATH=" + folder_ + ":" + variable("PATH", "/usr/bin:/bin"), "DOCS_IMAGE=" + tested_image(),
            "DOCS_LABEL=" + label_, "DOCS_DOCKER=" + docker_path()};
}

test_support::CommandResult Sandbox::run(const Block& block) const {
    const std::string script = "cd '" + in_source("") + "' && set -euo pipefail\n" + block.text;
    return test_support::run_command({"bash", "-c", script},
                                     {.timeout = seconds(180), .input = "", .environment = environment()});
}

test_support::CommandResult Sandbox::build(const Block& block) const {
    const fs::path context = fs::path(folder_) / "context";
    fs::create_directories(context);
    std::ofstream(context / "Dockerfile") << with_tested_image(block.text);
    auto settings = environment();
    settings.emplace_back("DOCKER_BUILDKIT=0");
    auto result = test_support::run_command({docker_path(), "build", "-q", "--force-rm", context.string()},
                                            {.timeout = seconds(180), .input = "", .environment = settings});
    if (result.ok()) docker({"image", "rm", test_support::trimmed(result.out)});
    return result;
}

}  // namespace docs_test
