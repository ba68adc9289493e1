#include "operator/processes.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

namespace nucleus::op {

ProcessId process_of(pid_t pid) {
  if (pid <= 0) return {};
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return {};
  // The name in parentheses may hold spaces; after it come the state and, 19 words on, the start.
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
  // Opened first and compared after, it cannot be another's.
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

ProcessTable load_processes(const StateDirectory& state) {
  ProcessTable table;
  const auto text = read_file(state.file("run/processes.json"));
  const auto json = nlohmann::json::parse(text.value_or("{}"), nullptr, false);
  if (!json.is_object()) return table;
  for (const auto& [name, entry] : json.items()) {
    try {
      table[name] = {.process = {.pid = entry.at("pid").get<pid_t>(),
                                 .start_ticks = entry.at("start_ticks").get<std::uint64_t>()},
                     .started_unix_ms = entry.at("started_unix_ms").get<std::int64_t>(),
                     .restarts = entry.at("restarts").get<std::uint32_t>(),
                     .last_end = entry.at("last_end").get<std::string>(),
                     .is_ground = entry.at("is_ground").get<bool>()};
    } catch (const nlohmann::json::exception&) {
      continue;  // cut off by hand: that process is started anew
    }
  }
  return table;
}

core::Result<void> save_processes(const StateDirectory& state, const ProcessTable& table) {
  auto json = nlohmann::json::object();
  for (const auto& [name, entry] : table)
    json[name] = {{"pid", entry.process.pid},
                  {"start_ticks", entry.process.start_ticks},
                  {"started_unix_ms", entry.started_unix_ms},
                  {"restarts", entry.restarts},
                  {"last_end", entry.last_end},
                  {"is_ground", entry.is_ground}};
  return write_file(state.file("run/processes.json"), json.dump(1) + "\n");
}

}  // namespace nucleus::op
