#include "base/shell_words.hpp"

namespace supervisor {
namespace {

class Splitter {
  public:
    explicit Splitter(std::string_view line) : line_(line) {}

    Result<std::vector<std::string>> run() {
        while (at_ < line_.size()) SUPERVISOR_TRY(step(line_[at_++]));
        finish_word();
        return std::move(words_);
    }

  private:
    Result<> step(char c) {
        switch (c) {
            case ' ':
            case '\t':
            case '\n':
                finish_word();
                return {};
            case '\'':
                return quoted(c);
            case '"':
                return quoted(c);
            case '\\':
                return escaped();
            default:
                add(c);
                return {};
        }
    }

    Result<> escaped() {
        if (at_ == line_.size()) return fail("a backslash at the end quotes nothing");
        const char next = line_[at_++];
        if (next != '\n') add(next);  // backslash newline continues the line
        return {};
    }

    Result<> quoted(char quote) {
        in_word_ = true;
        for (; at_ < line_.size(); ++at_) {
            const char c = line_[at_];
            if (c == quote) {
                ++at_;
                return {};
            }
            if (quote == '"' && c == '\\' && at_ + 1 < line_.size() &&
                std::string_view("\"\\$`").find(line_[at_ + 1]) != std::string_view::npos) {
                ++at_;
            }
            word_ += line_[at_];
        }
        return fail(std::string("a quote (") + quote + ") is not closed");
    }

    void add(char c) {
        in_word_ = true;
        word_ += c;
    }

    void finish_word() {
        if (in_word_) words_.push_back(std::move(word_));
        word_.clear();
        in_word_ = false;
    }

    std::string_view line_;
    std::size_t at_ = 0;
    std::string word_;
    bool in_word_ = false;  // "" is a word too
    std::vector<std::string> words_;
};

}  // namespace

Result<std::vector<std::string>> split_shell_words(std::string_view line) {
    return Splitter(line).run();
}

}  // namespace supervisor
