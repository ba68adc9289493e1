#include "core/http/request_parts.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <system_error>

#include "core/digest/digest.hpp"

namespace nucleus::core::http {

namespace {

bool is_same_name(std::string_view a, std::string_view b) {
  const auto lower = [](unsigned char c) { return std::tolower(c); };
  return std::ranges::equal(a, b, {}, lower, lower);
}

constexpr std::string_view range_unit = "bytes=";
constexpr std::size_t token_bytes_max = 128;

std::unexpected<Error> malformed() {
  return refuse(ErrorCode::invalid_argument, "Range must be one: bytes=FIRST-LAST", "Range");
}

/// FIRST-LAST, FIRST- or -COUNT, within the file.
Result<FilePart> parse_bounds(std::string_view range, std::uint64_t size) {
  const auto dash = range.find('-');
  if (dash == range.npos) return malformed();
  const auto first_text = range.substr(0, dash);
  const auto last_text = range.substr(dash + 1);
  const auto first = parse_number(first_text);
  const auto last = parse_number(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last))
    return malformed();
  if (!first) {
    if (*last == 0) return refuse(ErrorCode::wrong_state, "the range is empty", "Range");
    const auto count = std::min(*last, size);
    return FilePart{.first = size - count, .count = count};
  }
  if (last && *last < *first) return malformed();
  if (*first >= size)
    return refuse(ErrorCode::wrong_state, "the file ends after " + std::to_string(size) + " bytes",
                  "Range");
  const auto end = last ? std::min(*last, size - 1) : size - 1;
  return FilePart{.first = *first, .count = end - *first + 1};
}

}  // namespace

std::optional<std::string> token_of(const Request& request) {
  const auto credential = request.header("Authorization");
  const auto space = credential.find(' ');
  if (space == std::string::npos) return std::nullopt;
  const std::string_view scheme = std::string_view(credential).substr(0, space);
  std::string token = credential.substr(space + 1);
  if (is_same_name(scheme, "Basic")) {
    const auto pair = from_base64(token);
    const auto colon = pair ? pair->find(':') : std::string::npos;
    if (colon == std::string::npos) return std::nullopt;
    token = pair->substr(colon + 1);
  } else if (!is_same_name(scheme, "Bearer")) {
    return std::nullopt;
  }
  if (token.empty() || token.size() > token_bytes_max) return std::nullopt;
  return token;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<FilePart> parse_range(const std::string& range, std::uint64_t size_bytes,
                             std::uint64_t bytes_max) {
  FilePart part{.count = size_bytes, .is_whole = true};
  if (!range.empty()) {
    if (!range.starts_with(range_unit)) return malformed();
    const auto found = parse_bounds(std::string_view(range).substr(range_unit.size()), size_bytes);
    if (!found) return found;
    part = *found;
  }
  if (part.count > bytes_max)
    return refuse(ErrorCode::invalid_argument,
                  "a Range of at most " + std::to_string(bytes_max) + " bytes is needed", "Range");
  return part;
}

}  // namespace nucleus::core::http
