#include "core/text/utf8.hpp"

#include <algorithm>

namespace nucleus::core {

namespace {

/// A lead byte, and the range of the byte that follows: it excludes overlong forms, surrogates and
/// what is above U+10FFFF (Unicode, table 3-7).
struct Lead {
  unsigned char first, last;
  unsigned char low, high;
  std::size_t length;
};
constexpr Lead leads[] = {
    {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

}  // namespace

std::optional<std::size_t> utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const auto* lead = std::ranges::find_if(
      leads, [&](const Lead& each) { return byte(0) >= each.first && byte(0) <= each.last; });
  if (lead == std::end(leads)) return std::nullopt;
  for (std::size_t at = 1; at < std::min(lead->length, text.size()); ++at)
    if (byte(at) < (at == 1 ? lead->low : 0x80) || byte(at) > (at == 1 ? lead->high : 0xbf))
      return std::nullopt;
  return text.size() < lead->length ? 0 : lead->length;
}

std::size_t utf8_unfinished(std::string_view text) {
  for (std::size_t tail = 1; tail <= std::min<std::size_t>(3, text.size()); ++tail)
    if (utf8_length(text.substr(text.size() - tail)) == std::size_t{0}) return tail;
  return 0;
}

}  // namespace nucleus::core
