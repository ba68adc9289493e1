// A hostlist is parsed into parts of text and ranges, counted, and then expanded.
#include "core/hostlist/hostlist.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>

namespace nucleus::core::hostlist {
namespace {

constexpr std::size_t digits_max = 18;  // any 18 digits fit 64 bits
constexpr std::string_view digits = "0123456789";

struct Range {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::size_t width = 0;
};

/// Text followed by optional ranges of numbers.
struct Segment {
  std::string_view text = {};
  std::vector<Range> ranges = {};
};

using Part = std::vector<Segment>;

std::unexpected<Error> bad(std::string detail) {
  return refuse(ErrorCode::invalid_argument, "bad hostlist: " + std::move(detail));
}

std::optional<std::uint64_t> number(std::string_view text) {
  if (text.empty() || text.size() > digits_max) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<Range> parse_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const std::string_view low_text = text.substr(0, dash);
  const auto low = number(low_text);
  const auto high = dash == std::string_view::npos ? low : number(text.substr(dash + 1));
  if (!low || !high) return bad(fmt::format("bad range '{}'", msg::shown(text)));
  if (*high < *low) return bad(fmt::format("start > stop in '{}'", msg::shown(text)));
  return Range{.low = *low, .high = *high, .width = low_text.size()};
}

Result<std::vector<Range>> parse_ranges(std::string_view text) {
  std::vector<Range> ranges;
  for (;;) {
    const std::size_t comma = text.find(',');
    auto range = parse_range(text.substr(0, comma));
    if (!range) return std::unexpected(range.error());
    ranges.push_back(*range);
    if (comma == std::string_view::npos) return ranges;
    text.remove_prefix(comma + 1);
  }
}

Result<Part> parse_part(std::string_view text) {
  Part part;
  while (!text.empty()) {
    const std::size_t open = text.find('[');
    Segment segment{.text = text.substr(0, open)};
    if (open == std::string_view::npos) {
      text = {};
    } else {
      const std::size_t close = text.find(']', open);
      auto ranges = parse_ranges(text.substr(open + 1, close - open - 1));
      if (!ranges) return std::unexpected(ranges.error());
      segment.ranges = std::move(*ranges);
      text.remove_prefix(close + 1);
    }
    part.push_back(std::move(segment));
  }
  return part;
}

/// Splits at commas outside brackets; empty texts are skipped.
Result<std::vector<std::string_view>> split(std::string_view text) {
  std::vector<std::string_view> parts;
  bool is_inside = false;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    const char c = at < text.size() ? text[at] : ',';
    if (c == '[' && is_inside) return bad("nested brackets");
    if (c == ']' && !is_inside) return bad("unbalanced brackets");
    if (c == '[' || c == ']') is_inside = c == '[';
    if (c != ',' || is_inside) continue;
    if (at > begin) parts.push_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  if (is_inside) return bad("unbalanced brackets");
  return parts;
}

/// The number of names in the part, or nothing if it exceeds `max`.
std::optional<std::size_t> count(const Part& part, std::size_t max) {
  std::size_t product = 1;
  for (const Segment& segment : part) {
    if (segment.ranges.empty()) continue;
    std::size_t sum = 0;
    for (const Range& range : segment.ranges) {
      if (range.high - range.low >= max) return std::nullopt;
      sum += range.high - range.low + 1;
      if (sum > max) return std::nullopt;
    }
    product *= sum;
    if (product > max) return std::nullopt;
  }
  return product;
}

std::size_t longest_name_bytes(const Part& part) {
  std::size_t bytes = 0;
  for (const Segment& segment : part) {
    std::size_t number_bytes = 0;
    for (const Range& range : segment.ranges)
      number_bytes = std::max({number_bytes, range.width, std::to_string(range.high).size()});
    bytes += segment.text.size() + number_bytes;
  }
  return bytes;
}

void expand_part(std::span<const Segment> part, const std::string& before,
                 std::vector<std::string>& names) {
  if (part.empty()) {
    names.push_back(before);
    return;
  }
  const Segment& segment = part.front();
  const std::string prefix = before + std::string(segment.text);
  if (segment.ranges.empty()) expand_part(part.subspan(1), prefix, names);
  for (const Range& range : segment.ranges)
    for (std::uint64_t value = range.low; value <= range.high; ++value)
      expand_part(part.subspan(1), fmt::format("{}{:0{}}", prefix, value, range.width), names);
}

/// A name during collection: only the left half still contains numbers to fold.
struct Halves {
  std::string left = {};
  std::string right = {};
};

/// Numbers, each with its written width.
using Numbers = std::set<std::pair<std::uint64_t, std::size_t>>;

struct Around {
  std::string prefix = {};
  std::string suffix = {};
  bool has_number = false;
  auto operator<=>(const Around&) const = default;
};

/// Removes the right-most number from the left half.
std::pair<Around, std::pair<std::uint64_t, std::size_t>> take_number(const Halves& halves) {
  const std::string_view left = halves.left;
  const std::size_t last = left.find_last_of(digits);
  if (last != std::string_view::npos) {
    const std::size_t before = left.find_last_not_of(digits, last);
    const std::size_t first = before == std::string_view::npos ? 0 : before + 1;
    const std::string_view text = left.substr(first, last - first + 1);
    if (const auto value = number(text))
      return {{.prefix = std::string(left.substr(0, first)),
               .suffix = std::string(left.substr(last + 1)) + halves.right,
               .has_number = true},
              {*value, text.size()}};
  }
  return {{.prefix = halves.left + halves.right}, {}};
}

std::string collect_numbers(Numbers numbers) {
  std::string text;
  std::size_t ranges = 0;
  while (!numbers.empty()) {
    const auto [low, width] = *numbers.begin();
    std::uint64_t high = low;
    numbers.erase(numbers.begin());
    // The next number continues the range if its width equals its padding in the range.
    const auto take = [&](std::uint64_t next) {
      return numbers.erase({next, std::max(width, std::to_string(next).size())}) > 0;
    };
    while (take(high + 1)) ++high;
    text += fmt::format("{}{:0{}}", ranges++ == 0 ? "" : ",", low, width);
    if (high != low) text += fmt::format("-{:0{}}", high, width);
  }
  return text.find_first_of(",-") == std::string::npos ? text : "[" + text + "]";
}

}  // namespace

Result<std::vector<std::string>> expand(std::string_view text, std::size_t max) {
  if (text.size() > text_bytes_max) return bad(fmt::format("over {} bytes", text_bytes_max));
  const auto texts = split(text);
  if (!texts) return std::unexpected(texts.error());

  std::vector<Part> parts;
  std::size_t total = 0;
  for (std::string_view part_text : *texts) {
    auto part = parse_part(part_text);
    if (!part) return std::unexpected(part.error());
    const auto names = count(*part, max);
    if (!names || (total += *names) > max) return bad(fmt::format("more than {} names", max));
    if (longest_name_bytes(*part) > name_bytes_max)
      return bad(fmt::format("a name is over {} characters", name_bytes_max));
    parts.push_back(std::move(*part));
  }

  std::vector<std::string> names;
  names.reserve(total);
  for (const Part& part : parts) expand_part(part, {}, names);
  std::unordered_set<std::string_view> seen;
  std::vector<std::string> unique;
  unique.reserve(names.size());
  for (const std::string& name : names)
    if (seen.insert(name).second) unique.push_back(name);
  return unique;
}

std::string collect(std::span<const std::string> names) {
  std::vector<Halves> halves;
  for (const std::string& name : names)
    if (!name.empty()) halves.push_back({.left = name});

  // Each pass folds the right-most number of every left half, until none contains a number.
  for (bool is_folding = true; is_folding;) {
    is_folding = false;
    std::map<Around, Numbers> groups;
    for (const Halves& each : halves) {
      auto [around, value] = take_number(each);
      is_folding = is_folding || around.has_number;
      groups[std::move(around)].insert(value);
    }
    halves.clear();
    for (auto& [around, numbers] : groups) {
      if (around.has_number)
        halves.push_back({around.prefix, collect_numbers(numbers) + around.suffix});
      else
        halves.push_back({.right = around.prefix});
    }
  }

  std::string text;
  for (const Halves& each : halves) text += (text.empty() ? "" : ",") + each.left + each.right;
  return text;
}

}  // namespace nucleus::core::hostlist
