#include "services/console/driver/asciicast.hpp"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/text/utf8.hpp"

namespace nucleus::console {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr double ms_per_s = 1000;
constexpr std::size_t end_bytes_max = 128;  // that the end adds to a header
constexpr std::string_view offset_label = "offset ";
constexpr std::string_view gap_label = "gap ";

std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string line(milliseconds since, std::string_view kind, std::string_view text) {
  return fmt::format("[{:.3f}, \"{}\", {}]\n", static_cast<double>(since.count()) / ms_per_s, kind,
                     dumped(std::string(text)));
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto length = core::utf8_length(text).value_or(0);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

/// The numbers of a marker; nothing if they are malformed.
std::optional<std::pair<std::uint64_t, std::uint64_t>> two_numbers(std::string_view text) {
  std::pair<std::uint64_t, std::uint64_t> both;
  const auto* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, both.first);
  if (first.ec != std::errc{} || first.ptr == end) return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, both.second);
  if (second.ec != std::errc{} || second.ptr != end) return std::nullopt;
  return both;
}

}  // namespace

std::string header_line(const msg::Recording& recording, std::size_t size_min) {
  constexpr int version = 2;
  constexpr int columns = 80;  // a serial console does not tell its size
  constexpr int rows = 24;
  const json own{
      {"recording_id", recording.recording_id},   {"project_id", recording.project_id.value},
      {"cluster_id", recording.cluster_id.value}, {"node_id", recording.node_id.value},
      {"node_name", recording.node_name},         {"log_id", recording.log_id},
      {"begin_offset", recording.begin_offset},   {"end_offset", recording.end_offset},
      {"lost_bytes", recording.lost_bytes},       {"begin_unix_ms", recording.begin_unix_ms},
      {"end_unix_ms", recording.end_unix_ms},     {"is_end_inferred", recording.is_end_inferred}};
  const json header{{"version", version},
                    {"width", columns},
                    {"height", rows},
                    {"timestamp", recording.begin_unix_ms / 1000},
                    {"title", recording.cluster_id.value + " " + recording.node_name},
                    {"nucleus", own}};
  std::string text = dumped(header);
  const auto size = size_min > 0 ? size_min - 1 : text.size() + end_bytes_max;
  text.resize(std::max(size, text.size()), ' ');
  return text + "\n";
}

std::optional<msg::Recording> parse_header(std::string_view line) {
  const auto header = json::parse(line, nullptr, false);
  if (!header.is_object() || !header.contains("nucleus")) return std::nullopt;
  try {
    const auto& own = header.at("nucleus");
    return msg::Recording{.recording_id = own.at("recording_id"),
                          .project_id = {own.at("project_id").get<std::string>()},
                          .cluster_id = {own.at("cluster_id").get<std::string>()},
                          .node_id = {own.at("node_id").get<std::string>()},
                          .node_name = own.at("node_name"),
                          .log_id = own.at("log_id"),
                          .begin_offset = own.at("begin_offset"),
                          .end_offset = own.at("end_offset"),
                          .lost_bytes = own.at("lost_bytes"),
                          .begin_unix_ms = own.at("begin_unix_ms"),
                          .end_unix_ms = own.at("end_unix_ms"),
                          .is_end_inferred = own.at("is_end_inferred")};
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

std::string OutputLines::output(milliseconds since, std::uint64_t offset, std::string_view bytes) {
  std::string lines;
  const auto expected = written_ + unfinished_.size();
  if (offset > expected) {
    lines = flush(since);
    lines += gap(since, offset);
  } else {
    const auto known = std::min<std::uint64_t>(expected - offset, bytes.size());
    bytes.remove_prefix(static_cast<std::size_t>(known));
  }
  if (bytes.empty()) return lines;
  std::string text = std::exchange(unfinished_, {}) + std::string(bytes);
  const auto unfinished = core::utf8_unfinished(text);
  unfinished_ = text.substr(text.size() - unfinished);
  text.resize(text.size() - unfinished);
  if (text.empty()) return lines;
  written_ += text.size();
  lines += line(since, "o", text);
  // Other characters stand for bytes that are no text: the length of the line says nothing.
  if (!is_utf8(text)) lines += line(since, "m", fmt::format("{}{}", offset_label, written_));
  return lines;
}

std::string OutputLines::finish(milliseconds since, std::uint64_t end) {
  auto lines = flush(since);
  if (end > written_) lines += gap(since, end);
  return lines;
}

std::string OutputLines::flush(milliseconds since) {
  if (unfinished_.empty()) return {};
  const auto text = std::exchange(unfinished_, {});
  written_ += text.size();
  return line(since, "o", text) + line(since, "m", fmt::format("{}{}", offset_label, written_));
}

std::string OutputLines::gap(milliseconds since, std::uint64_t to) {
  const auto from = std::exchange(written_, to);
  lost_ += to - from;
  return line(since, "m", fmt::format("{}{}-{}", gap_label, from, to));
}

bool LineReader::read(std::string_view text) {
  const auto event = json::parse(text, nullptr, false);
  if (!event.is_array() || event.size() != 3 || !event[0].is_number() || !event[1].is_string() ||
      !event[2].is_string())
    return false;
  since_ = milliseconds(static_cast<std::int64_t>(event[0].get<double>() * ms_per_s));
  const auto& kind = event[1].get_ref<const std::string&>();
  const std::string_view told = event[2].get_ref<const std::string&>();
  if (kind == "o") offset_ += told.size();
  if (kind == "m" && told.starts_with(offset_label)) {
    const auto number = told.substr(offset_label.size());
    std::from_chars(number.data(), number.data() + number.size(), offset_);
  }
  if (kind == "m" && told.starts_with(gap_label)) {
    const auto range = two_numbers(told.substr(gap_label.size()));
    if (!range || range->second < range->first) return false;
    lost_ += range->second - range->first;
    offset_ = range->second;
  }
  return true;
}

}  // namespace nucleus::console
