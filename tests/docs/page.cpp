#include "docs/page.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "support/command.hpp"

namespace docs_test {

namespace fs = std::filesystem;

namespace {

// As hosting services make them: lower case, blanks become dashes, other marks go.
std::string anchor_of(const std::string& heading) {
    std::string anchor;
    for (const char c : heading) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || c == '-' || c == '_') anchor += static_cast<char>(std::tolower(byte));
        if (c == ' ') anchor += '-';
    }
    return anchor;
}

void collect(const std::string& line, const std::regex& pattern, std::vector<std::string>& found) {
    for (std::sregex_iterator match(line.begin(), line.end(), pattern), end; match != end; ++match)
        found.push_back((*match)[1]);
}

void read_line(Page& page, const std::string& line) {
    static const std::regex link(R"(\]\(([^)\s]+)\))");
    static const std::regex code("`([^`]+)`");
    static const std::regex heading("^#+ +(.*)$");
    collect(line, link, page.links);
    collect(line, code, page.code);
    if (std::smatch match; std::regex_match(line, match, heading))
        page.headings.push_back(anchor_of(match[1]));
}

Block opened(const std::string& fence, int line) {
    const std::string info = fence.substr(3);
    const auto blank = info.find(' ');
    return {line, info.substr(0, blank), blank == std::string::npos ? "" : info.substr(blank + 1), ""};
}

}  // namespace

bool Block::excused() const {
    return mark.starts_with("syntax (") && mark.ends_with(")");
}

Page parse_page(std::string path, std::string text) {
    Page page{.path = std::move(path),
              .text = std::move(text),
              .blocks = {},
              .links = {},
              .headings = {},
              .code = {}};
    bool inside = false;
    int number = 0;
    for (const auto& line : test_support::lines(page.text)) {
        ++number;
        if (line.starts_with("```")) {
            if (!inside) page.blocks.push_back(opened(line, number));
            inside = !inside;
        } else if (inside) {
            page.blocks.back().text += line + "\n";
        } else {
            read_line(page, line);
        }
    }
    return page;
}

std::vector<std::string> page_paths() {
    std::vector<std::string> paths;
    for (const char* folder : {"", "docs", "images/profiles", "images/recipes"}) {
        for (const auto& entry : fs::directory_iterator(in_source(folder))) {
            if (entry.path().extension() == ".md")
                paths.push_back(fs::relative(entry.path(), in_source("")).string());
        }
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

Page load_page(const std::string& path) {
    return parse_page(path, file_text(in_source(path)));
}

std::string file_text(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string in_source(const std::string& path) {
    return (fs::path(SOURCE_ROOT) / path).string();
}

}  // namespace docs_test
