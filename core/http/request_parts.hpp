// Parts of requests that several servers read: a token, a range of bytes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/http/http.hpp"
#include "core/result.hpp"

namespace nucleus::core::http {

/// From `Authorization: Bearer TOKEN`; or of `Basic`, whatever its user is, the password. At most
/// 128 bytes; nothing if there is none.
std::optional<std::string> token_of(const Request& request);

/// Digits alone.
std::optional<std::uint64_t> parse_number(std::string_view text);

/// The part of a file that is asked for.
struct FilePart {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  bool is_whole = false;
};

/// From a Range header, which may be empty, and the file's size. `invalid_argument`: it is
/// malformed, more than one range, or over `bytes_max`; `wrong_state`: the file ends before it.
Result<FilePart> parse_range(const std::string& range, std::uint64_t size_bytes,
                             std::uint64_t bytes_max);

}  // namespace nucleus::core::http
