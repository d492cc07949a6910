#pragma once
// A Markdown page cut into what can be checked: code blocks, links, headings, names in code.

#include <string>
#include <vector>

namespace docs_test {

struct Block {
    int line = 0;          // of the opening fence
    std::string language;  // "sh", "json", …
    std::string mark;      // the rest of the info string: "test", "syntax (needs a server)"
    std::string text;

    [[nodiscard]] bool runs() const { return mark == "test"; }
    // Checked for syntax only, with a reason.
    [[nodiscard]] bool excused() const;
};

struct Page {
    std::string path;  // relative to the repository
    std::string text;
    std::vector<Block> blocks;
    std::vector<std::string> links;     // targets as they are written
    std::vector<std::string> headings;  // as anchors: "exit-codes"
    std::vector<std::string> code;      // `inline code`
};

Page parse_page(std::string path, std::string text);

// README.md, CONTRIBUTING.md, …, docs/*.md and the README files of images/.
std::vector<std::string> page_paths();
Page load_page(const std::string& path);

std::string file_text(const std::string& path);
// Of the repository.
std::string in_source(const std::string& path);

}  // namespace docs_test
