#include "client/commands/walltime.hpp"

#include <fmt/format.h>

#include <charconv>

namespace nucleus::client {

core::Result<Walltime> parse_walltime(const std::string& text, const std::string& option) {
  const auto wrong = [&] {
    return core::refuse(core::ErrorCode::invalid_argument,
                        option + " must be a whole number with m, h, d or w, such as 90m or 2d",
                        option.starts_with("--") ? option.substr(2) : option);
  };
  Walltime walltime;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, walltime.minutes);
  if (read.ec != std::errc{} || walltime.minutes <= 0 || walltime.minutes > 1'000'000)
    return wrong();
  walltime.has_no_unit = read.ptr == end;
  if (walltime.has_no_unit) return walltime;
  if (read.ptr + 1 != end) return wrong();
  switch (*read.ptr | 0x20) {
    case 'm':
      break;
    case 'h':
      walltime.minutes *= 60;
      break;
    case 'd':
      walltime.minutes *= 1440;
      break;
    case 'w':
      walltime.minutes *= 10'080;
      break;
    default:
      return wrong();
  }
  return walltime;
}

std::string shown_minutes(std::int64_t minutes) {
  const std::int64_t days = minutes / 1440;
  const std::string clock = fmt::format("{:02}:{:02}", minutes / 60 % 24, minutes % 60);
  return days ? fmt::format("{}-{}", days, clock) : clock;
}

}  // namespace nucleus::client
