// Bind translation and route matching: a result always lies within a mount, outside of what is protected, and
// a path that matches a route is the canonical one.
#include <cstdint>
#include <cstdlib>

#include "broker/handlers/routes.hpp"
#include "broker/http/uri.hpp"
#include "broker/rules/mount_table.hpp"
#include "broker/self.hpp"

using namespace supervisor;
using namespace supervisor::broker;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void check_translation(const std::string& path) {
    static const MountTable table({{"/godata", "/vol", true}, {"/godata/cache", "/srv/cache", false}},
                                  {"/godata/secret", "/proc"},
                                  [](const std::string& given) -> Result<sys::ResolvedPath> {
                                      if (!given.starts_with('/') || given.find("..") != std::string::npos)
                                          return fail("not resolved");
                                      return sys::ResolvedPath{given, true};
                                  });
    const auto translated = table.translate(path);
    if (!translated) return;
    require(is_within(translated->source, "/vol") || is_within(translated->source, "/srv/cache"));
    require(!is_within(translated->source, "/vol/secret"));
    for (const auto& nested : translated->nested) require(nested.source == "/srv/cache" && !nested.writable);
}

void check_route(std::string_view text) {
    const auto target = parse_target(text);
    if (!target) return;
    for (const char* method : {"GET", "POST", "DELETE"}) {
        const auto match = match_route(method, target->segments);
        if (match.route == nullptr) continue;
        (void)allowed_query(*match.route, target->query);
        const bool image = match.route->pattern.find("...}") != std::string_view::npos;
        require(image || match.name.find('/') == std::string::npos);
        require(("/" + match.name + "/").find("/../") == std::string::npos);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    check_translation(text);
    check_route(text);
    const auto half = text.size() / 2;
    (void)own_container_candidates(text.substr(0, half), text.substr(half), text);
    return 0;
}
