#include "services/network/driver/opensm.hpp"

#include <signal.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>

#include "core/files/files.hpp"
#include "core/runtime/child_process.hpp"
#include "services/network/driver/fabric_tools.hpp"

namespace nucleus::network {

namespace {

using core::ErrorCode;

constexpr std::chrono::milliseconds tool_deadline{20'000};
constexpr std::size_t tool_output_max = 8 << 20;
constexpr std::streamsize file_bytes_max = 8 << 20;

/// `unavailable` if it cannot be read, or is too large.
core::Result<std::string> content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return core::refuse(ErrorCode::unavailable, path + " cannot be read");
  std::string content;
  std::array<char, 1 << 16> part{};
  while (file.read(part.data(), part.size()) || file.gcount() > 0) {
    content.append(part.data(), static_cast<std::size_t>(file.gcount()));
    if (std::ssize(content) > file_bytes_max)
      return core::refuse(ErrorCode::unavailable, path + " is over 8 MiB");
  }
  return content;
}

/// Only if the process still is an OpenSM: the number may be of another program by now.
core::Result<pid_t> opensm_process(const std::string& path) {
  const auto content = content_of(path);
  if (!content) return std::unexpected(content.error());
  pid_t pid = 0;
  std::from_chars(content->data(), content->data() + content->size(), pid);
  std::string name;
  if (pid > 1) std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm"), name);
  if (name != "opensm")
    return core::refuse(ErrorCode::unavailable,
                        path + " is not the process id of a running opensm");
  return pid;
}

/// The ports that one of them has in a partition and the other has not.
std::set<PortGuid> changed_ports(const Partitions& before, const Partitions& after) {
  std::set<PortGuid> changed;
  const auto add_missing = [&](const Partitions& from, const Partitions& in) {
    for (const auto& [pkey, members] : from) {
      const auto other = in.find(pkey);
      for (const auto guid : members)
        if (other == in.end() || !other->second.contains(guid)) changed.insert(guid);
    }
  };
  add_missing(before, after);
  add_missing(after, before);
  return changed;
}

}  // namespace

core::Result<void> OpenSm::apply(const Partitions& partitions) {
  const auto text = partitions_text(partitions);
  if (!text) return std::unexpected(text.error());
  // What OpenSM cannot parse opens every partition, so nothing is written that we cannot.
  if (auto parsed = parse_partitions(*text); !parsed) return std::unexpected(parsed.error());
  if (const auto changed = changed_ports(applied_, partitions); !changed.empty())
    rotation_.must_read(changed);
  else
    rotation_.must_read_all();  // applied again, since something was wrong
  applied_ = partitions;
  const auto pid = opensm_process(file("opensm.pid"));
  // Without an OpenSM the file is written all the same: it is read at the next start.
  auto written =
      core::replace_file(file("partitions.conf"), *text, {.mode = 0644, .is_durable = true});
  if (!written) return written;
  core::sync_path(options_.directory);
  if (!pid) return std::unexpected(pid.error());
  if (kill(*pid, SIGHUP) != 0) return core::refuse_errno("opensm cannot be signalled");
  return {};
}

core::Result<std::string> OpenSm::configured_difference(const Partitions& partitions) {
  const auto wanted = partitions_text(partitions);
  if (!wanted) return std::unexpected(wanted.error());
  const auto found = content_of(file("partitions.conf"));
  if (!found) return found.error().detail;
  if (*found == *wanted) return std::string{};
  if (const auto parsed = parse_partitions(*found); !parsed)
    return file("partitions.conf") + " was written by another program: " + parsed.error().detail;
  return file("partitions.conf") + " has other members";
}

core::Result<FabricReading> OpenSm::read(const std::set<PortGuid>& now) {
  const auto manager_output = run("sminfo", {});
  if (!manager_output) return std::unexpected(manager_output.error());
  const auto manager = parse_manager(*manager_output);
  if (!manager) return std::unexpected(manager.error());
  const auto ports_output = run("ibnetdiscover", {"-p"});
  if (!ports_output) return std::unexpected(ports_output.error());
  const auto ports = parse_ports(*ports_output);
  if (!ports) return std::unexpected(ports.error());
  rotation_.must_also_read(now);
  for (const auto& port : rotation_.due(*ports)) {
    const auto output =
        run("smpquery", {"pkeys", std::to_string(port.lid), std::to_string(port.number)});
    if (!output) return std::unexpected(output.error());
    auto table = parse_pkey_table(*output);
    if (!table) return std::unexpected(table.error());
    rotation_.take(port.guid, std::move(*table));
  }
  FabricReading reading{.manager = *manager, .tables = rotation_.tables()};
  std::set<PortGuid> differing;
  for (const auto& fault : differences(applied_, reading)) differing.insert(fault.guid);
  rotation_.must_read(std::move(differing));
  return reading;
}

core::Result<std::vector<std::string>> OpenSm::unsafe_settings() {
  const auto options = content_of(file("opensm.conf"));
  // Without a file, every option has its default.
  return unsafe_options(options ? *options : "", file("partitions.conf"));
}

core::Result<std::string> OpenSm::run(const char* tool, std::vector<std::string> arguments) const {
  std::vector<std::string> argv{
      options_.tools_directory.empty() ? tool : options_.tools_directory + "/" + tool};
  if (!options_.card.empty()) argv.insert(argv.end(), {"-C", options_.card});
  if (options_.port != 0) argv.insert(argv.end(), {"-P", std::to_string(options_.port)});
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  auto output = core::must_run_child(
      {.argv = std::move(argv), .deadline = tool_deadline, .output_bytes_max = tool_output_max});
  if (!output)
    return core::refuse(ErrorCode::unavailable, std::string(tool) + ": " + output.error().detail);
  return output;
}

}  // namespace nucleus::network
