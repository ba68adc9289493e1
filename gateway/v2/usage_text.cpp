#include "gateway/v2/usage_text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <utility>

namespace nucleus::gateway {

namespace {

using Columns = std::vector<std::pair<const char*, std::string>>;

constexpr std::int64_t minute_s = 60;
constexpr std::int64_t day_s = 86'400;
constexpr const char* unmapped_id = "65534";  // people and projects have no numeric ids

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

/// No formula for a spreadsheet.
std::string inert(std::string text) {
  if (!text.empty() && std::string_view("=+-@").contains(text.front())) text.insert(0, "'");
  return text;
}

std::string time_text(std::int64_t unix_s) {
  if (unix_s == 0) return "Unknown";
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::gmtime(static_cast<std::time_t>(unix_s)));
}

/// [D-]HH:MM:SS
std::string duration_text(std::int64_t seconds) {
  const auto days = seconds >= day_s ? std::to_string(seconds / day_s) + "-" : "";
  return days + fmt::format("{:02}:{:02}:{:02}", seconds % day_s / 3'600, seconds % 3'600 / 60,
                            seconds % 60);
}

const char* state_text(const msg::UsageEntry& entry) {
  using State = msg::ComputesetState;
  if (entry.state == State::failed) return "FAILED";
  if (entry.state == State::cancelled) return "CANCELLED";
  if (entry.state == State::hibernated) return "SUSPENDED";
  if (entry.end_unix_s == 0) return "RUNNING";
  const bool is_timeout = entry.elapsed_s >= entry.walltime_mins * minute_s;
  return is_timeout ? "TIMEOUT" : "COMPLETED";
}

/// An unattributed computeset has the name of its cluster, which is its partition too: Open XDMoD
/// reads the partition as the queue, and names the cluster itself.
Columns columns_of(const msg::UsageEntry& entry) {
  const auto id = std::to_string(entry.computeset_id);
  const auto cores = std::to_string(entry.cores);
  const auto nodes = std::to_string(entry.node_count);
  const auto memory = std::to_string(entry.memory_mb) + "M";
  const auto tres = fmt::format("billing={0},cpu={0},mem={1},node={2}", cores, memory, nodes);
  const auto& cluster = entry.cluster_id.value;
  return {{"JobID", id},
          {"JobIDRaw", id},
          {"Cluster", cluster},
          {"Partition", cluster},
          {"QOS", "normal"},
          {"Account", entry.allocation_id.value},
          {"Group", entry.project_id.value},
          {"GID", unmapped_id},
          {"User", entry.person_id.value},
          {"UID", unmapped_id},
          {"Submit", time_text(entry.created_unix_s)},
          {"Eligible", time_text(entry.created_unix_s)},
          {"Start", time_text(entry.start_unix_s)},
          {"End", time_text(entry.end_unix_s)},
          {"Elapsed", duration_text(entry.elapsed_s)},
          {"ExitCode", entry.state == msg::ComputesetState::failed ? "1:0" : "0:0"},
          {"State", state_text(entry)},
          {"NNodes", nodes},
          {"NCPUS", cores},
          {"ReqCPUS", cores},
          {"ReqMem", memory},
          {"ReqTRES", tres},
          {"AllocTRES", tres},
          {"Timelimit", duration_text(entry.walltime_mins * minute_s)},
          {"NodeList", entry.node_list.empty() ? cluster : entry.node_list},
          {"JobName", entry.on_behalf_of.empty() ? cluster : entry.on_behalf_of}};
}

}  // namespace

std::string csv_line(std::vector<std::string> cells) {
  for (auto& cell : cells) cell = csv_cell(cell);
  return fmt::format("{}\n", fmt::join(cells, ","));
}

std::string csv_lines(const Json& entries, const std::vector<std::string>& fields) {
  std::string lines;
  for (const auto& entry : entries) {
    std::vector<std::string> cells;
    for (const auto& field : fields) {
      const auto& value = entry.at(field);
      cells.push_back(value.is_string() ? inert(value.get<std::string>()) : text_of(value));
    }
    lines += csv_line(std::move(cells));
  }
  return lines;
}

std::string sacct_header() {
  std::vector<std::string> names;
  for (const auto& [name, value] : columns_of({})) names.emplace_back(name);
  return fmt::format("{}\n", fmt::join(names, "|"));
}

std::string sacct_line(const msg::UsageEntry& entry) {
  std::vector<std::string> values;
  for (auto& [name, value] : columns_of(entry)) {
    for (char& c : value)
      if (c == '|' || static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '_';
    values.push_back(std::move(value));
  }
  return fmt::format("{}\n", fmt::join(values, "|"));
}

}  // namespace nucleus::gateway
