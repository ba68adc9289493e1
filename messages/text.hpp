// Texts for people: what may be accepted as one, and what of it may reach a terminal.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "messages/common.hpp"

namespace nucleus::msg {

/// Nothing, or the error that `field` must be one line of at most `bytes_max` bytes.
inline std::optional<Error> check_line(std::string_view field, std::string_view text,
                                       std::size_t bytes_max) {
  const bool is_line = std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
  if (is_line && text.size() <= bytes_max) return std::nullopt;
  return invalid(field, std::string(field) + " must be up to " + std::to_string(bytes_max) +
                            " bytes without control characters");
}

/// `2026-12-01T08:00:00Z`.
inline std::string utc_text(std::int64_t unix_s) {
  const std::time_t time = unix_s;
  std::tm parts = {};
  std::array<char, 32> text = {};
  gmtime_r(&time, &parts);
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

/// True for a byte that begins a control character; new lines and tabs are none.
inline bool is_control(std::string_view text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < ' ') return byte != '\n' && byte != '\t';
  if (byte == 0x7F) return true;
  // C1 controls, U+0080 to U+009F, are two bytes in UTF-8.
  return byte == 0xC2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0;
}

/// The text with each control character replaced.
inline std::string printable(std::string text) {
  std::size_t at = 0;
  while (at < text.size() && !is_control(text, at)) ++at;
  if (at == text.size()) return text;
  std::string whole;
  for (at = 0; at < text.size(); ++at) {
    if (!is_control(text, at)) {
      whole += text[at];
      continue;
    }
    whole += "\xEF\xBF\xBD";
    if (static_cast<unsigned char>(text[at]) == 0xC2) ++at;
  }
  return whole;
}

}  // namespace nucleus::msg
