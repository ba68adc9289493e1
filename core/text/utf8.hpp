// UTF-8 in pieces: what a guest prints is cut anywhere.
#pragma once

#include <optional>
#include <string_view>

namespace nucleus::core {

/// The length of the first character of `text`, 1 to 4; 0 if `text` ends within it; nothing if it
/// does not begin with a character.
std::optional<std::size_t> utf8_length(std::string_view text);
/// The bytes at the end of `text` that begin a character and do not complete it, 0 to 3.
std::size_t utf8_unfinished(std::string_view text);

}  // namespace nucleus::core
