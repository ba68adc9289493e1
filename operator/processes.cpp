#include "operator/processes.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

namespace nucleus::operator_ {

namespace {

using Json = nlohmann::json;

ProcessEntry entry_of(const Json& json) {
  ProcessEntry entry{.process = {.pid = json.at("pid").get<pid_t>(),
                                 .start_ticks = json.at("start_ticks").get<std::uint64_t>()},
                     .started_unix_ms = json.at("started_unix_ms").get<std::int64_t>(),
                     .restarts = json.at("restarts").get<std::uint32_t>(),
                     .is_infrastructure = json.at("is_infrastructure").get<bool>()};
  if (const auto& end = json.at("last_end"); !end.is_null())
    entry.last_end = core::ProcessEnd{
        .kind = msg::enum_of<core::ProcessEndKind>(end.at("kind").get<std::string>()),
        .code = end.at("code").get<int>()};
  return entry;
}

}  // namespace

Json json_of(const std::optional<core::ProcessEnd>& end) {
  if (!end) return nullptr;
  return {{"kind", std::string(msg::name_of(end->kind))}, {"code", end->code}};
}

ProcessId process_of(pid_t pid) {
  if (pid <= 0) return {};
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return {};
  // The name in parentheses may contain spaces. The state follows it, and 19 words later the start.
  const auto name_end = stat->rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(stat->substr(name_end + 1));
  std::string word;
  rest >> word;
  if (word == "Z" || word == "X") return {};
  for (int skipped = 0; skipped < 18; ++skipped) rest >> word;
  ProcessId process{.pid = pid};
  rest >> process.start_ticks;
  return rest ? process : ProcessId{};
}

bool is_alive(const ProcessId& process) {
  const auto now = process_of(process.pid);
  return now.pid != 0 && now.start_ticks == process.start_ticks;
}

int open_process_descriptor(const ProcessId& process) {
  if (process.pid <= 0) return -1;
  const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0));
  // The start time is compared after opening, so the descriptor cannot be of another process.
  if (descriptor >= 0 && !is_alive(process)) {
    close(descriptor);
    return -1;
  }
  return descriptor;
}

bool send_signal(const ProcessId& process, int signal) {
  const int descriptor = open_process_descriptor(process);
  if (descriptor < 0) return false;
  const bool is_sent = syscall(SYS_pidfd_send_signal, descriptor, signal, nullptr, 0) == 0;
  close(descriptor);
  return is_sent;
}

std::int64_t unix_ms_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool is_any_running(const ProcessTable& table) {
  return std::ranges::any_of(table,
                             [](const auto& entry) { return is_alive(entry.second.process); });
}

ProcessTable load_processes(const StateDirectory& state) {
  ProcessTable table;
  const auto text = read_file(state.file("run/processes.json"));
  const auto json = Json::parse(text.value_or("{}"), nullptr, false);
  if (!json.is_object()) return table;
  for (const auto& [name, entry] : json.items()) {
    try {
      table[name] = entry_of(entry);
    } catch (const nlohmann::json::exception&) {
      continue;  // a damaged entry: the process is started again
    }
  }
  return table;
}

core::Result<void> save_processes(const StateDirectory& state, const ProcessTable& table) {
  auto json = Json::object();
  for (const auto& [name, entry] : table)
    json[name] = {{"pid", entry.process.pid},
                  {"start_ticks", entry.process.start_ticks},
                  {"started_unix_ms", entry.started_unix_ms},
                  {"restarts", entry.restarts},
                  {"last_end", json_of(entry.last_end)},
                  {"is_infrastructure", entry.is_infrastructure}};
  return write_file(state.file("run/processes.json"), json.dump(1) + "\n");
}

}  // namespace nucleus::operator_
