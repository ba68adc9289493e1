#include "services/provisioner/driver/address_servers.hpp"

#include <sys/stat.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "core/files/files.hpp"
#include "core/log/log.hpp"
#include "core/runtime/child_process.hpp"
#include "services/provisioner/driver/address_process.hpp"
#include "services/provisioner/driver/service_port.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds address_tool_timeout{10'000};
constexpr mode_t readable_by_dnsmasq = 0644;    // its user is not the owner
constexpr const char* reload_mark = "/reload";  // dnsmasq has not read the newest files yet

core::Result<void> run_address_tool(std::vector<std::string> argv) {
  const auto ran =
      core::must_run_child({.argv = std::move(argv), .deadline = address_tool_timeout});
  if (!ran) return std::unexpected(ran.error());
  return {};
}

bool has_text(const std::string& path, const std::string& text) {
  std::ifstream file(path, std::ios::binary);
  return file && std::string(std::istreambuf_iterator<char>(file), {}) == text;
}

core::Result<void> write_text(const std::string& path, const std::string& text) {
  return core::replace_file(path, text, {.mode = readable_by_dnsmasq});
}

/// With what the port is made of: another port needs another process too.
std::string whole_options(const AddressService& service) {
  return "# " + service.device + " " + service.mac + " " + service.address + "\n" + service.options;
}

std::optional<std::uint16_t> vlan_of(const fs::path& directory) {
  const auto name = directory.filename().string();
  std::uint16_t vlan = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), vlan);
  const bool is_number = read.ec == std::errc{} && read.ptr == name.data() + name.size();
  return is_number ? std::optional(vlan) : std::nullopt;
}

}  // namespace

std::string AddressServers::directory_of(std::uint16_t vlan) const {
  return options_.directory + "/" + std::to_string(vlan);
}

core::Result<void> AddressServers::prepare(const AddressService& service) {
  const std::scoped_lock lock{mutex_};
  prepared_[service.vlan] = ++now_;
  const auto applied = apply(service);
  if (!applied) return std::unexpected(applied.error());
  return {};
}

bool AddressServers::serve(const std::vector<AddressService>& wanted, std::uint64_t begun,
                           bool is_complete) {
  const std::scoped_lock lock{mutex_};
  std::set<std::uint16_t> kept;
  bool has_changed = false;
  for (const auto& service : wanted) {
    kept.insert(service.vlan);
    const auto prepared = prepared_.find(service.vlan);
    // What was prepared since is newer than this plan.
    if (prepared != prepared_.end() && prepared->second > begun) continue;
    const auto applied = apply(service);
    has_changed = has_changed || !applied || *applied;
    if (!applied)
      core::log::warning("addresses_not_served",
                         {{"vlan", service.vlan}, {"reason", applied.error().detail}});
  }
  if (!is_complete) return has_changed;
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(options_.directory, fault)) {
    const auto vlan = vlan_of(entry.path());
    if (!vlan || kept.contains(*vlan)) continue;
    const auto prepared = prepared_.find(*vlan);
    if (prepared != prepared_.end() && prepared->second > begun) continue;
    if (auto stopped = stop(*vlan); !stopped)
      core::log::warning("addresses_not_served",
                         {{"vlan", *vlan}, {"reason", stopped.error().detail}});
    has_changed = true;
  }
  return has_changed;
}

/// Whether a process was started.
core::Result<bool> AddressServers::apply(const AddressService& service) {
  const auto directory = directory_of(service.vlan);
  const pid_t pid = find_address_process(directory);
  const bool is_served = pid != 0 && has_interface(pid, service.device) &&
                         has_text(directory + "/options", whole_options(service));
  if (!is_served) {
    if (auto started = start(service); !started) return std::unexpected(started.error());
    return true;
  }
  shorten_address_log(directory);
  const bool is_current = has_text(directory + "/hosts", service.hosts) &&
                          has_text(directory + "/names", service.names);
  std::error_code fault;
  if (is_current && !fs::exists(directory + reload_mark, fault)) return false;
  auto written = write_text(directory + reload_mark, "");
  if (written) written = write_text(directory + "/hosts", service.hosts);
  if (written) written = write_text(directory + "/names", service.names);
  if (!written) return std::unexpected(written.error());
  reload_address_process(directory);
  fs::remove(directory + reload_mark, fault);
  return false;
}

core::Result<void> AddressServers::start(const AddressService& service) {
  const auto directory = directory_of(service.vlan);
  std::error_code fault;
  if (fs::exists(directory, fault))
    core::log::warning("address_server_started", {{"vlan", service.vlan}});
  if (auto stopped = stop(service.vlan); !stopped) return stopped;
  fs::create_directories(directory, fault);
  // dnsmasq's user passes through this directory alone: see start_address_process().
  if (!fault) fs::permissions(directory, fs::perms{0755}, fault);
  if (fault) return core::refuse_fault("cannot make the directory of an address server", fault);
  auto written = write_text(directory + "/options", whole_options(service));
  if (written) written = write_text(directory + "/hosts", service.hosts);
  if (written) written = write_text(directory + "/names", service.names);
  if (!written) return written;
  auto started = start_address_process(directory, [&](pid_t pid) { return connect(service, pid); });
  if (!started) (void)stop(service.vlan);
  return started;
}

/// A port that is made again under a name that is in use would keep its old device.
core::Result<void> AddressServers::remove_port(const std::string& device) const {
  return run_address_tool(
      {"ovs-vsctl", "--timeout=5", "--if-exists", "del-port", options_.bridge, device});
}

core::Result<void> AddressServers::connect(const AddressService& service, pid_t pid) const {
  const auto& device = service.device;
  auto done = run_address_tool(
      {"ovs-vsctl", "--timeout=5", "add-port", options_.bridge, device,
       "tag=" + std::to_string(service.vlan), "--", "set", "interface", device, "type=internal",
       "ofport_request=" + std::to_string(service_port_number(service.vlan))});
  if (!done) return done;
  const auto number = std::to_string(pid);
  std::vector<std::string> move{"ip"};
  if (!options_.network_namespace.empty())
    move.insert(move.end(), {"-n", options_.network_namespace});
  move.insert(move.end(), {"link", "set", "dev", device, "netns", number});
  done = run_address_tool(std::move(move));
  const auto inside = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"nsenter", "--net=/proc/" + number + "/ns/net", "ip"});
    done = run_address_tool(std::move(words));
  };
  if (done) inside({"link", "set", "dev", device, "address", service.mac, "addrgenmode", "none"});
  if (done) inside({"link", "set", "dev", device, "up"});
  if (done) inside({"address", "add", service.address, "dev", device});
  return done;
}

core::Result<void> AddressServers::stop(std::uint16_t vlan) {
  const auto directory = directory_of(vlan);
  // First: the switch complains about a device that is gone with its namespace.
  if (auto removed = remove_port(service_device(options_.tap_prefix, vlan)); !removed)
    return removed;
  stop_address_process(directory);
  std::error_code fault;
  fs::remove_all(directory, fault);
  if (fault) return core::refuse_fault("cannot remove the directory of an address server", fault);
  return {};
}

}  // namespace nucleus::provisioner
