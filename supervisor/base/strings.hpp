// Strict, locale-free text helpers. Parsers return errors that name the value and what is accepted.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace supervisor {

std::string_view trim(std::string_view text);
// All pieces, empty ones included; "" gives one empty piece.
std::vector<std::string_view> split(std::string_view text, char separator);
// Pieces between runs of blanks (space, tab, newline); no empty pieces.
std::vector<std::string_view> split_words(std::string_view text);
// Lines without their '\n'; a last line without '\n' counts.
std::vector<std::string_view> split_lines(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
// Where `part` begins in `text`, or npos. For long texts: several times faster than find(), which stops at
// each occurrence of the first character.
std::size_t find_text(std::string_view text, std::string_view part);
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

// The whole text must be a decimal number in [0, max].
Result<std::uint64_t> parse_unsigned(std::string_view text, std::uint64_t max = UINT64_MAX);
// "30", "30s", "1.5s", "250ms", "2m", "1h": without a unit, seconds.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
// "1048576", "512k", "4G", "1.5g", with or without a final "b" or "iB": powers of 1024.
Result<std::uint64_t> parse_size(std::string_view text);
// true/false, yes/no, on/off, 1/0 in any case.
Result<bool> parse_bool(std::string_view text);

// "1.4 s", "380 ms", "2 min 5 s": for people.
std::string format_duration(std::chrono::milliseconds duration);
// "1.5 GiB": for people.
std::string format_size(std::uint64_t bytes);

// `text` with every control character written as \n, \t or \xNN, cut to at most `limit` bytes: what comes
// from a job or a daemon can then stand in one log line.
std::string printable(std::string_view text, std::size_t limit = 400);

}  // namespace supervisor
