#include "broker/http/json_guard.hpp"

#include <algorithm>
#include <vector>

#include "base/strings.hpp"

namespace supervisor::broker {
namespace {

constexpr std::string_view kLongS = "\xC5\xBF";       // U+017F
constexpr std::string_view kKelvin = "\xE2\x84\xAA";  // U+212A

// Length of the UTF-8 sequence at the start of `text`, 0 if it is not valid (overlong, surrogate, cut off).
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
    const auto first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
        return continues(1) && continues(2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
        return continues(1) && continues(2) && continues(3) ? 4 : 0;
    }
    return 0;
}

// One pass over the text; the depth of the recursion is bounded by kMaxJsonDepth.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    Result<> document() {
        SUPERVISOR_TRY(value(0));
        skip_blanks();
        if (!rest_.empty()) return fail("text after the JSON value");
        return {};
    }

  private:
    void skip_blanks() {
        const auto end = rest_.find_first_not_of(" \t\r\n");
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end);
    }

    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }

    Result<> value(int depth) {
        if (depth > kMaxJsonDepth) return fail("JSON is nested too deeply");
        skip_blanks();
        if (rest_.empty()) return fail("JSON ends too early");
        switch (rest_.front()) {
            case '{':
                return object(depth);
            case '[':
                return array(depth);
            case '"':
                return string(nullptr);
            case 't':
                return word("true");
            case 'f':
                return word("false");
            case 'n':
                return word("null");
            default:
                return number();
        }
    }

    Result<> word(std::string_view expected) {
        if (!rest_.starts_with(expected)) return fail("malformed JSON literal");
        rest_.remove_prefix(expected.size());
        return {};
    }

    Result<> object(int depth) {
        take('{');
        skip_blanks();
        std::vector<std::string> keys;
        if (take('}')) return {};
        do {
            skip_blanks();
            std::string key;
            SUPERVISOR_TRY(string(&key));
            keys.push_back(std::move(key));
            skip_blanks();
            if (!take(':')) return fail("JSON object without a colon");
            SUPERVISOR_TRY(value(depth + 1));
            skip_blanks();
        } while (take(','));
        if (!take('}')) return fail("malformed JSON object");
        std::sort(keys.begin(), keys.end());
        const auto twice = std::adjacent_find(keys.begin(), keys.end());
        if (twice != keys.end()) return fail("duplicate JSON key \"" + printable(*twice, 80) + "\"");
        return {};
    }

    Result<> array(int depth) {
        take('[');
        skip_blanks();
        if (take(']')) return {};
        do {
            SUPERVISOR_TRY(value(depth + 1));
            skip_blanks();
        } while (take(','));
        if (!take(']')) return fail("malformed JSON array");
        return {};
    }

    Result<unsigned> hex4() {
        unsigned code = 0;
        if (rest_.size() < 4) return fail("malformed JSON escape");
        for (int i = 0; i < 4; ++i) {
            const char c = rest_[static_cast<std::size_t>(i)];
            const auto digit = std::string_view("0123456789abcdef")
                                   .find(c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c);
            if (digit == std::string_view::npos) return fail("malformed JSON escape");
            code = code * 16 + static_cast<unsigned>(digit);
        }
        rest_.remove_prefix(4);
        return code;
    }

    static void append_utf8(std::string& out, unsigned code) {
        const auto put = [&out](unsigned byte) { out += static_cast<char>(byte); };
        if (code < 0x80) {
            put(code);
        } else if (code < 0x800) {
            put(0xC0 | code >> 6);
            put(0x80 | (code & 0x3F));
        } else if (code < 0x10000) {
            put(0xE0 | code >> 12);
            put(0x80 | (code >> 6 & 0x3F));
            put(0x80 | (code & 0x3F));
        } else {
            put(0xF0 | code >> 18);
            put(0x80 | (code >> 12 & 0x3F));
            put(0x80 | (code >> 6 & 0x3F));
            put(0x80 | (code & 0x3F));
        }
    }

    Result<> unicode_escape(std::string* out) {
        SUPERVISOR_TRY_ASSIGN(high, hex4());
        unsigned code = high;
        if (high >= 0xD800 && high <= 0xDFFF) {
            if (high > 0xDBFF || !rest_.starts_with("\\u")) return fail("lone surrogate in JSON");
            rest_.remove_prefix(2);
            SUPERVISOR_TRY_ASSIGN(low, hex4());
            if (low < 0xDC00 || low > 0xDFFF) return fail("lone surrogate in JSON");
            code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        }
        if (out != nullptr) append_utf8(*out, code);
        return {};
    }

    Result<> escape(std::string* out) {
        rest_.remove_prefix(1);
        if (rest_.empty()) return fail("malformed JSON escape");
        const char c = rest_.front();
        rest_.remove_prefix(1);
        if (c == 'u') return unicode_escape(out);
        static constexpr std::string_view kLetters = "\"\\/bfnrt";
        static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        const auto index = kLetters.find(c);
        if (index == std::string_view::npos) return fail("malformed JSON escape");
        if (out != nullptr) *out += kMeanings[index];
        return {};
    }

    // Appends the decoded string to `out` when that is wanted.
    Result<> string(std::string* out) {
        if (!take('"')) return fail("JSON key or string expected");
        while (!rest_.empty() && rest_.front() != '"') {
            if (static_cast<unsigned char>(rest_.front()) < 0x20)
                return fail("control character in a JSON string");
            if (rest_.front() == '\\') {
                SUPERVISOR_TRY(escape(out));
                continue;
            }
            const auto length = utf8_length(rest_);
            if (length == 0) return fail("invalid UTF-8 in JSON");
            if (out != nullptr) out->append(rest_.substr(0, length));
            rest_.remove_prefix(length);
        }
        return take('"') ? Result<>() : fail("unterminated JSON string");
    }

    // Takes digits off the front; false when there are none.
    static bool digits(std::string_view& text) {
        const auto count = std::min(text.find_first_not_of("0123456789"), text.size());
        text.remove_prefix(count);
        return count > 0;
    }

    // -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
    static bool is_number(std::string_view text) {
        if (text.starts_with('-')) text.remove_prefix(1);
        const bool zero = text.starts_with('0');
        if (zero) text.remove_prefix(1);
        if (!zero && !digits(text)) return false;
        if (text.starts_with('.')) {
            text.remove_prefix(1);
            if (!digits(text)) return false;
        }
        if (text.starts_with('e') || text.starts_with('E')) {
            text.remove_prefix(1);
            if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
            // Two digits: no field of the API is that large, and beyond a double nothing would be left of it.
            if (text.size() > 2 || !digits(text)) return false;
        }
        return text.empty();
    }

    Result<> number() {
        const auto text = rest_.substr(0, rest_.find_first_not_of("0123456789+-.eE"));
        if (!is_number(text)) return fail("malformed JSON value");
        const auto unsigned_text = text.starts_with('-') ? text.substr(1) : text;
        const bool whole = unsigned_text.find_first_not_of("0123456789") == std::string_view::npos;
        // What a 64-bit integer cannot hold would be rounded by our parser and not by the daemon's.
        if (whole && (unsigned_text.size() > 19 || !parse_unsigned(unsigned_text, INT64_MAX))) {
            return fail("JSON number is out of range");
        }
        if (text.size() > 40) return fail("JSON number is too long");
        rest_.remove_prefix(text.size());
        return {};
    }

    std::string_view rest_;
};

std::string folded(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (text.starts_with(kLongS)) {
            out += 's';
            text.remove_prefix(kLongS.size());
        } else if (text.starts_with(kKelvin)) {
            out += 'k';
            text.remove_prefix(kKelvin.size());
        } else {
            const char c = text.front();
            out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
            text.remove_prefix(1);
        }
    }
    return out;
}

}  // namespace

Result<> guard_json(std::string_view text) {
    return Scanner(text).document();
}

Result<json::value> parse_guarded(std::string_view text) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return json::value();
    SUPERVISOR_TRY(guard_json(text));
    return parse_json(text);
}

bool folds_to(std::string_view key, std::string_view name) {
    return folded(key) == folded(name);
}

}  // namespace supervisor::broker
