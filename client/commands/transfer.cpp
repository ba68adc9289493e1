#include "client/commands/transfer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace nucleus::client {

std::string shown_bytes(std::uint64_t bytes) {
  constexpr std::array units = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1023.95 && unit + 1 < units.size(); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, units.at(unit));
}

std::string shown_seconds(std::int64_t seconds) {
  if (seconds < 0) seconds = 0;
  if (seconds >= 2 * 86'400) return fmt::format("{} d", seconds / 86'400);
  if (seconds >= 2 * 3'600) return fmt::format("{} h", seconds / 3'600);
  if (seconds >= 2 * 60) return fmt::format("{} min", seconds / 60);
  return fmt::format("{} s", seconds);
}

std::string shown_transfer(const Transfer& transfer) {
  const auto size = std::max<std::uint64_t>(transfer.size_bytes, 1);
  const auto done = std::min(transfer.done_bytes, size);
  auto text = fmt::format(
      "{} % of {}", static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(size)),
      shown_bytes(transfer.size_bytes));
  if (transfer.session_s < 1 || transfer.session_bytes == 0) return text;
  const auto speed = static_cast<double>(transfer.session_bytes) / transfer.session_s;
  const auto left_s = std::ceil(static_cast<double>(size - done) / speed);
  return text + fmt::format(", {}/s, {} left", shown_bytes(static_cast<std::uint64_t>(speed)),
                            shown_seconds(static_cast<std::int64_t>(left_s)));
}

std::string shown_image_copy(const Json& copy) {
  const auto number = [&](const char* key) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(copy[key].number().value_or(0), 0));
  };
  const auto& reason = copy["reason"].text();
  const auto text = shown_transfer({.size_bytes = number("total_bytes"),
                                    .done_bytes = number("copied_bytes"),
                                    .session_bytes = reason.empty() ? number("bytes_per_s") : 0,
                                    .session_s = 1});
  return reason.empty() ? text : text + ": " + reason;
}

}  // namespace nucleus::client
