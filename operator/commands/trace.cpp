// nucleus trace: what one request did: the lines of all logs of this machine, and the events.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <regex>

#include "core/state/redis_reader.hpp"
#include "operator/commands/commands.hpp"
#include "operator/deployment.hpp"
#include "operator/state_directory.hpp"

namespace nucleus::operator_ {

namespace {

namespace fs = std::filesystem;

constexpr core::Milliseconds redis_timeout{10'000};

struct TraceArguments {
  std::string state = {};
  std::string id = {};
};

/// The lines of a log that name the trace, without its name: `TIME LEVEL PROCESS EVENT FIELDS`.
void add_lines(const fs::path& log, const std::string& id, std::vector<std::string>& lines) {
  const std::string name = " trace=" + id;
  std::ifstream file(log);
  std::string line;
  while (std::getline(file, line)) {
    const auto at = line.find(name);
    if (at == line.npos) continue;
    const auto end = at + name.size();
    if (end == line.size() || line[end] == ' ') lines.push_back(line.erase(at, name.size()));
  }
}

/// Also the older part of a log that was over its limit.
bool is_log(const fs::path& path) {
  const auto name = path.filename().string();
  return name.ends_with(".log") || name.ends_with(".log.1");
}

/// Of the head and of the hosts of this machine, by time: each line begins with it.
std::vector<std::string> lines_of(const StateDirectory& state, const std::string& id) {
  std::vector<std::string> lines;
  std::error_code fault;
  for (fs::recursive_directory_iterator
           entry(state.root(), fs::directory_options::skip_permission_denied, fault),
       end;
       !fault && entry != end; entry.increment(fault))
    if (is_log(entry->path()) && entry->path().parent_path().filename() == "logs")
      add_lines(entry->path(), id, lines);
  std::ranges::sort(lines);
  return lines;
}

std::string shown(const core::StoredEvent& event) {
  const auto cluster = event.topic.find('/');
  const auto type = event.topic.rfind('/');
  return fmt::format("event {} {} project={} cluster={} sender={}", event.sequence,
                     event.topic.substr(type + 1), event.topic.substr(0, cluster),
                     event.topic.substr(cluster + 1, type - cluster - 1), event.sender);
}

core::Result<int> show_trace(const TraceArguments& arguments) {
  static const std::regex form("[0-9A-Za-z._-]{1,128}");
  if (!std::regex_match(arguments.id, form))
    return core::refuse(core::ErrorCode::invalid_argument,
                        "ID must be the X-Request-Id of an answer, or the trace of a log line",
                        "ID");
  const StateDirectory state(arguments.state);
  if (const auto deployment = open_deployment(state); !deployment)
    return std::unexpected(deployment.error());
  core::RedisConnection connection(state.redis_socket(), redis_timeout);
  const auto events = core::RedisReader(connection).events_of(arguments.id);
  const auto lines = lines_of(state, arguments.id);
  for (const auto& line : lines) std::cout << line << "\n";
  if (!events) return std::unexpected(events.error());
  for (const auto& event : *events) std::cout << shown(event) << "\n";
  if (!lines.empty() || !events->empty()) return 0;
  return core::refuse(
      core::ErrorCode::not_found,
      "no log line of this machine and no stored event has the trace " + arguments.id);
}

}  // namespace

void add_trace(Commands& commands) {
  commands.add<TraceArguments>(
      "trace", "Show what one request did: the lines of all logs of this machine, and the events",
      show_trace, [](CommandOptions& options, TraceArguments& arguments) {
        options.state(arguments.state);
        options
            .add("ID", arguments.id,
                 "X-Request-Id of an answer, `trace` of a log line, or `trace_id` of an event")
            .required();
      });
}

}  // namespace nucleus::operator_
