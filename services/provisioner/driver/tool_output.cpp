#include "services/provisioner/driver/tool_output.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/text/lines.hpp"
#include "messages/text.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;
using msg::OutputFormat;

namespace {

using ToolJson = nlohmann::json;

constexpr int json_depth_max = 16;
constexpr std::size_t words_max = 32;
constexpr std::size_t name_bytes_max = 128;

std::unexpected<core::Error> no_figures(std::string_view why) {
  return core::refuse(ErrorCode::internal, "the tool printed no figures: " + std::string(why));
}

void add(ToolOutput& output, const std::string& name, double value) {
  if (std::isfinite(value) && name.size() <= name_bytes_max &&
      output.figures.size() < tool_figures_max)
    output.figures.emplace(name, value);
}

/// The whole word as a number.
std::optional<double> number(std::string_view word) {
  double value = 0;
  const auto read = std::from_chars(word.data(), word.data() + word.size(), value);
  if (read.ec != std::errc{} || read.ptr != word.data() + word.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

template <class Use>
void for_each_line(std::string_view text, Use use) {
  while (!text.empty()) use(core::take_until(text, '\n'));
}

/// The first JSON object in the text, no deeper than `json_depth_max`; null if there is none.
ToolJson first_object(std::string_view text) {
  const auto start = text.find('{');
  if (start == std::string_view::npos) return nullptr;
  bool is_deep = false;
  const auto watch = [&](int depth, ToolJson::parse_event_t, ToolJson&) {
    is_deep = is_deep || depth > json_depth_max;
    return !is_deep;
  };
  auto parsed = ToolJson::parse(text.substr(start), watch, false);
  return is_deep || !parsed.is_object() ? ToolJson(nullptr) : std::move(parsed);
}

std::string text_at(const ToolJson& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end() || !found->is_string()) return {};
  return found->get<std::string>();
}

std::vector<msg::Rank> ranks_in(const ToolJson& json) {
  std::vector<msg::Rank> ranks;
  const auto found = json.find("ranks");
  if (found == json.end() || !found->is_array()) return ranks;
  for (const auto& rank : *found)
    if (ranks.size() < msg::ranks_max)
      ranks.push_back({.host = text_at(rank, "host"),
                       .boot_id = text_at(rank, "boot_id"),
                       .network = text_at(rank, "network")});
  return ranks;
}

core::Result<ToolOutput> parse_probe(std::string_view text) {
  const auto json = first_object(text);
  ToolOutput output{.program = text_at(json, "program")};
  if (!json.is_object()) return no_figures("no JSON");
  for (const auto& [key, value] : json.items())
    if (value.is_number()) add(output, key, value.get<double>());
  output.ranks = ranks_in(json);
  return output;
}

/// The numbers of a member that is an array of `count` numbers; nothing if it is not.
std::vector<double> numbers_at(const ToolJson& object, const char* key, std::size_t count) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array() || found->size() != count) return {};
  std::vector<double> numbers;
  for (const auto& value : *found)
    if (value.is_number()) numbers.push_back(value.get<double>());
  return numbers;
}

void add_members(ToolOutput& output, const std::string& name, const ToolJson& value) {
  if (value.is_number()) return add(output, name, value.get<double>());
  if (!value.is_object()) return;  // its depth is limited already
  for (const auto& [key, member] : value.items()) add_members(output, name + "/" + key, member);
}

core::Result<ToolOutput> parse_fio_jobs(std::string_view text) {
  const auto json = first_object(text);
  ToolOutput output{.program = text_at(json, "fio version")};
  const auto jobs = json.is_object() ? json.find("jobs") : json.end();
  if (!json.is_object() || jobs == json.end() || !jobs->is_array()) return no_figures("no jobs");
  for (const auto& job : *jobs) {
    const auto name = text_at(job, "jobname");
    if (name.empty()) continue;
    const auto error = job.find("error");
    if (error != job.end() && *error != 0)
      return core::refuse(ErrorCode::internal, "fio: job " + msg::shown(name) + " failed");
    for (const char* way : {"read", "write", "sync"})
      if (const auto part = job.find(way); part != job.end())
        add_members(output, name + "/" + way, *part);
  }
  return output;
}

/// `SIZE VALUE …` lines below `#` comments, or one line with a value alone.
core::Result<ToolOutput> parse_osu(std::string_view text) {
  ToolOutput output;
  for_each_line(text, [&](std::string_view line) {
    const auto words = core::words_of(line, words_max);
    if (words.empty() || words[0].starts_with('#')) return;
    const auto first = number(words[0]);
    if (!first) return;
    if (words.size() == 1) return add(output, "value", *first);
    if (const auto value = number(words[1])) add(output, std::string(words[0]), *value);
  });
  return output;
}

core::Result<ToolOutput> parse_imb(std::string_view text) {
  ToolOutput output;
  std::string benchmark;
  std::vector<std::string> columns;
  for_each_line(text, [&](std::string_view line) {
    auto words = core::words_of(line, words_max);
    if (words.empty()) return;
    if (words.size() == 3 && words[0] == "#" && words[1] == "Benchmarking") {
      benchmark = words[2];
      columns.clear();
      return;
    }
    if (words[0].starts_with('#')) {  // the header; columns are named without their '#'
      if (words[0] != "#bytes" && words[0] != "#repetitions") return;
      columns.clear();
      for (const auto word : words)
        columns.emplace_back(word.starts_with('#') ? word.substr(1) : word);
      return;
    }
    if (benchmark.empty() || columns.empty() || words.size() != columns.size()) return;
    const std::string size = columns[0] == "bytes" ? "/" + std::string(words[0]) : "";
    for (std::size_t i = size.empty() ? 0 : 1; i < words.size(); ++i)
      if (const auto value = number(words[i]))
        add(output, benchmark + size + "/" + columns[i], *value);
  });
  return output;
}

core::Result<ToolOutput> parse_hpcc(std::string_view text) {
  ToolOutput output;
  for_each_line(text, [&](std::string_view line) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) return;
    const auto key = trimmed(line.substr(0, equals));
    const auto value = number(trimmed(line.substr(equals + 1)));
    if (value && key.find(' ') == std::string_view::npos) add(output, std::string(key), *value);
  });
  const auto success = output.figures.find("Success");
  if (success == output.figures.end() || success->second != 1)
    return core::refuse(ErrorCode::internal, "hpcc did not succeed");
  return output;
}

/// Seconds of `4.19s`, `4m24.53s`, `1h 3m` or `1h 3m 2.5s`, without blanks.
std::optional<double> seconds_of(std::string_view text) {
  double seconds = 0;
  bool is_number = false;
  for (const auto& [unit, in_s] : {std::pair{'d', 86'400.0}, std::pair{'h', 3'600.0},
                                   std::pair{'m', 60.0}, std::pair{'s', 1.0}}) {
    const auto end = text.find(unit);
    if (end == std::string_view::npos) continue;
    const auto value = number(text.substr(0, end));
    if (!value || *value < 0) return std::nullopt;
    seconds += *value * in_s;
    is_number = true;
    text.remove_prefix(end + 1);
  }
  return is_number && text.empty() ? std::optional(seconds) : std::nullopt;
}

/// `ROUTINE : 4.19s CPU 7.08s WALL (…)`: pw.x pads its times with blanks.
void add_times(ToolOutput& output, std::string_view line) {
  const auto colon = line.find(':');
  const auto cpu = line.find(" CPU");
  const auto wall = line.find(" WALL");
  if (colon == std::string_view::npos || cpu == std::string_view::npos ||
      wall == std::string_view::npos || !(colon < cpu && cpu < wall))
    return;
  const auto without_blanks = [](std::string_view text) {
    std::string whole;
    std::ranges::copy_if(text, std::back_inserter(whole), [](char c) { return c != ' '; });
    return whole;
  };
  const auto name = trimmed(line.substr(0, colon));
  const auto cpu_s = seconds_of(without_blanks(line.substr(colon + 1, cpu - colon - 1)));
  const auto wall_s = seconds_of(without_blanks(line.substr(cpu + 4, wall - cpu - 4)));
  if (name.empty() || name.find(' ') != std::string_view::npos || !cpu_s || !wall_s) return;
  add(output, std::string(name) + "/cpu", *cpu_s);
  add(output, std::string(name) + "/wall", *wall_s);
}

/// `rank NUMBER HOST BOOT-ID NETWORK`, which each rank prints before the program of a tool that
/// does not say where it runs. They arrive in any order.
void add_rank(std::map<double, msg::Rank>& ranks, const std::vector<std::string_view>& words) {
  if (words.size() != 5 || words[0] != "rank" || ranks.size() >= msg::ranks_max) return;
  if (const auto own = number(words[1]))
    ranks[*own] = {.host = std::string(words[2]),
                   .boot_id = std::string(words[3]),
                   .network = std::string(words[4])};
}

core::Result<ToolOutput> parse_pwx(std::string_view text) {
  ToolOutput output;
  bool is_done = false;
  std::map<double, msg::Rank> ranks;
  for_each_line(text, [&](std::string_view line) {
    const auto words = core::words_of(line, words_max);
    add_rank(ranks, words);
    is_done = is_done || trimmed(line) == "JOB DONE.";
    if (words.size() == 6 && words[0] == "!" && words[1] == "total" && words[2] == "energy")
      if (const auto energy = number(words[4])) add(output, "energy_ry", *energy);
    if (words.size() >= 2 && words[0] == "Program" && words[1] == "PWSCF" && words.size() > 2)
      output.program = "pw.x " + std::string(words[2]);
    add_times(output, line);
  });
  for (auto& [number, rank] : ranks) output.ranks.push_back(std::move(rank));
  const auto& figures = output.figures;
  if (!is_done || !figures.contains("PWSCF/wall"))
    return core::refuse(ErrorCode::internal, "pw.x did not end: no JOB DONE");
  if (!figures.contains("energy_ry"))
    return core::refuse(ErrorCode::internal, "pw.x found no total energy");
  return output;
}

core::Result<ToolOutput> parse_text(OutputFormat format, std::string_view text) {
  switch (format) {
    case OutputFormat::probe:
      return parse_probe(text);
    case OutputFormat::fio:
      return parse_fio_jobs(text);
    case OutputFormat::osu:
      return parse_osu(text);
    case OutputFormat::imb:
      return parse_imb(text);
    case OutputFormat::hpcc:
      return parse_hpcc(text);
    case OutputFormat::pwx:
      return parse_pwx(text);
    case OutputFormat::unknown:
      break;
  }
  return core::refuse(ErrorCode::internal, "the tool has no format");
}

}  // namespace

core::Result<ToolOutput> parse_output(OutputFormat format, std::string_view text) {
  if (text.size() > tool_output_bytes_max) return no_figures("more than 1 MiB");
  auto output = parse_text(format, text);
  if (output && output->figures.empty()) return no_figures("nothing to parse");
  if (!output) return output;
  for (auto& rank : output->ranks)
    for (const auto* text_of : {&rank.host, &rank.boot_id, &rank.network})
      if (!msg::is_condition(*text_of)) return no_figures("a rank's name is not printable");
  if (!msg::is_condition(output->program)) return no_figures("its version is not printable");
  return output;
}

core::Result<std::vector<msg::Sample>> samples_of(const msg::Tool& tool, const ToolOutput& output) {
  std::vector<msg::Sample> samples;
  std::string_view missing;
  for (const auto& row : msg::measurements) {
    if (row.tool != tool.name) continue;
    const auto found = output.figures.find(row.field);
    if (found == output.figures.end()) {
      if (missing.empty()) missing = row.name;
      continue;
    }
    const double value = found->second * row.scale;
    if (!msg::is_sample(value)) return no_figures(std::string(row.name) + " is out of range");
    samples.push_back({.measurement = std::string(row.name), .value = value});
  }
  if (samples.empty()) return no_figures(std::string(missing) + " is missing");
  return samples;
}

core::Result<msg::LinksRun> parse_links(std::string_view text, std::size_t ranks) {
  if (text.size() > tool_output_bytes_max) return no_figures("more than 1 MiB");
  const auto json = first_object(text);
  if (!json.is_object()) return no_figures("no JSON");
  if (!json.contains("link_latency_us"))
    return core::refuse(ErrorCode::internal,
                        "the image has an older nucleus-pingpong, without links");
  const auto count = msg::links_of(ranks);
  msg::LinksRun run{.ranks = ranks_in(json),
                    .latencies_us = numbers_at(json, "link_latency_us", count),
                    .bandwidths_mb_s = numbers_at(json, "link_bandwidth_mb_s", count),
                    .conditions = {.program = text_at(json, "program")}};
  if (run.ranks.size() != ranks)
    return no_figures(std::to_string(run.ranks.size()) + " ranks instead of " +
                      std::to_string(ranks));
  if (const auto broken = msg::check(run)) return no_figures(broken->detail);
  return run;
}

}  // namespace nucleus::provisioner
