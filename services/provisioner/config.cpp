#include "services/provisioner/config.hpp"

#include <fmt/format.h>

#include <iterator>
#include <sstream>

#include "services/provisioner/driver/guest_files.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::int64_t simulated_cpus = 64;
constexpr std::int64_t simulated_memory_mb = 262'144;

void read_times(core::Settings& settings, Config& config) {
  const auto milliseconds = [&](const char* key, std::int64_t& value, std::int64_t most) {
    value = settings.number(key, value, 10, most);
  };
  milliseconds("provisioner.heartbeat_ms", config.heartbeat_ms, 60'000);
  milliseconds("provisioner.ping_ms", config.ping_ms, 60'000);
  milliseconds("provisioner.ping_timeout_ms", config.ping_timeout_ms, 60'000);
  milliseconds("provisioner.step_timeout_ms", config.step_timeout_ms, 3'600'000);
  milliseconds("provisioner.retry_ms_max", config.retry_ms_max, 3'600'000);
  milliseconds("provisioner.usage_ms", config.usage_ms, 3'600'000);
}

std::optional<core::Error> read_accelerator(core::Settings& settings, Config& config) {
  const std::string name = settings.text("provisioner.accelerator", "auto");
  if (name == "auto") return std::nullopt;
  if (name == "kvm")
    config.accelerator = Accel::kvm;
  else if (name == "tcg")
    config.accelerator = Accel::tcg;
  else
    return msg::invalid("provisioner.accelerator", "must be auto, kvm or tcg");
  return std::nullopt;
}

std::optional<core::Error> read_profile(core::Settings& settings, Config& config) {
  const std::string name = settings.text("provisioner.profile", "standard");
  auto& [kind, host_cpus] = config.profile;
  if (name != "standard" && name != "hpc")
    return msg::invalid("provisioner.profile", "must be standard or hpc");
  if (name == "hpc") kind = Profile::hpc;
  if (kind == Profile::hpc && !config.driver.has_guests)
    return msg::invalid("provisioner.profile", "a simulated host has no CPUs of its own");
  const auto cpus = parse_cpu_set(settings.text("provisioner.hpc_host_cpus", ""));
  if (!cpus)
    return msg::invalid("provisioner.hpc_host_cpus", "must be a list of CPUs like 0-1,32-33");
  host_cpus = *cpus;
  return std::nullopt;
}

/// `none`, or names with spaces between them; empty = unknown.
std::optional<std::set<std::string>> read_uplinks(core::Settings& settings) {
  std::istringstream words(settings.text("provisioner.uplinks", ""));
  std::set<std::string> names{std::istream_iterator<std::string>(words), {}};
  if (names.empty()) return std::nullopt;
  if (names == std::set<std::string>{"none"}) names.clear();
  return names;
}

std::optional<core::Error> read_adapters(core::Settings& settings, Config& config) {
  const auto functions = parse_adapter_functions(settings.text("provisioner.adapters", ""));
  if (!functions) return functions.error();
  config.adapter_functions = *functions;
  config.sysfs = settings.text("provisioner.sysfs", config.sysfs);
  if (!functions->empty() && !config.driver.has_guests && config.sysfs == Config{}.sysfs)
    return msg::invalid("provisioner.adapters",
                        "a simulated host has no adapters of this machine: set provisioner.sysfs");
  return std::nullopt;
}

core::Result<void> read_console_service(core::Settings& settings, Config& config) {
  const auto endpoint = settings.optional_endpoint("provisioner.console_address");
  if (!endpoint) return {};
  ConsoleServiceAddress service{.endpoint = *endpoint};
  if (const auto ca = settings.text("provisioner.ca_file", ""); !ca.empty()) {
    auto trust = core::Trust::open(ca);
    if (!trust) return std::unexpected(msg::invalid("provisioner.ca_file", trust.error().detail));
    service.trust = std::move(*trust);
  }
  config.console_service = std::move(service);
  return {};
}

std::optional<core::Error> read_image_store(core::Settings& settings, Config& config) {
  config.image_store_url = settings.text("provisioner.image_store_url", "");
  config.ca_file = settings.text("provisioner.ca_file", "");
  config.layer_send_bytes_per_s =
      settings.number("provisioner.layer_send_bytes_per_s", 0, 0, 1LL << 40);
  config.chunk_cache_mb =
      settings.number("provisioner.chunk_cache_mb", config.chunk_cache_mb, 0, 1LL << 30);
  config.copy_rate_mb_s =
      settings.number("provisioner.copy_rate_mb_s", config.copy_rate_mb_s, 0, 100'000);
  config.chunk_endpoint = settings.optional_endpoint("provisioner.chunk_endpoint");
  if (config.chunk_endpoint &&
      (config.chunk_endpoint->address == "0.0.0.0" || config.chunk_endpoint->address == "::"))
    return msg::invalid("provisioner.chunk_endpoint", "must be an address that other hosts reach");
  if (!config.keeps_volumes()) return std::nullopt;
  if (!config.image_store_url.starts_with("https://") || config.image_store_url.ends_with('/'))
    return msg::invalid("provisioner.image_store_url", "must be https://ADDRESS:PORT");
  if (config.ca_file.empty())
    return msg::invalid("provisioner.ca_file", "must be set if image_store_url is");
  if (!config.driver.has_guests)
    return msg::invalid("provisioner.image_store_url", "a simulated host has no volumes");
  return std::nullopt;
}

}  // namespace

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  const std::string driver = settings.text("provisioner.driver", libvirt_driver.name);
  if (driver != libvirt_driver.name && driver != simulated_driver.name)
    return std::unexpected(msg::invalid("provisioner.driver", "must be libvirt or simulated"));
  const bool is_simulated = driver == simulated_driver.name;
  config.driver = is_simulated ? simulated_driver : libvirt_driver;

  const std::string host_id = settings.text("provisioner.host_id", "");
  const auto host_count = settings.number("provisioner.simulated_hosts", 1, 1, 100'000);
  config.libvirt_uri =
      settings.text("provisioner.libvirt_uri", is_simulated ? "test:///default" : "qemu:///system");
  config.state_directory = settings.text("provisioner.state_directory", "/var/lib/nucleus/host");
  config.metrics_listen = settings.optional_endpoint("metrics.listen");
  config.bridge = settings.text("provisioner.bridge", "nucleus0");
  config.network_namespace = settings.text("provisioner.network_namespace", "");
  config.switch_directory = settings.text("provisioner.switch_directory", "/var/run/openvswitch");
  config.uplinks = read_uplinks(settings);
  config.public_vlan =
      static_cast<std::uint32_t>(settings.number("provisioner.public_vlan", 0, 0, 4094));
  config.port_prefix = settings.text("provisioner.port_prefix", config.port_prefix);
  config.probe_kernel = settings.text("provisioner.probe_kernel", "");
  config.pingpong_program = settings.text("provisioner.pingpong_program", "");
  config.mpi_launcher = settings.text("provisioner.mpi_launcher", config.mpi_launcher);
  config.cpus = static_cast<std::uint32_t>(
      settings.number("provisioner.cpus", is_simulated ? simulated_cpus : 0, 0, 4096));
  config.memory_mb = static_cast<std::uint64_t>(settings.number(
      "provisioner.memory_mb", is_simulated ? simulated_memory_mb : 0, 0, 1'073'741'824));
  config.console_log_bytes_max = settings.number("provisioner.console_log_bytes_max",
                                                 config.console_log_bytes_max, 4096, 1LL << 40);
  read_times(settings, config);
  config.idle_cpu_percent =
      settings.number("provisioner.idle_cpu_percent", config.idle_cpu_percent, 0, 100);
  config.idle_bytes_per_s =
      settings.number("provisioner.idle_bytes_per_s", config.idle_bytes_per_s, 0, 1LL << 40);
  if (auto read = read_console_service(settings, config); !read)
    return std::unexpected(read.error());
  if (auto fault = read_accelerator(settings, config)) return std::unexpected(*fault);
  if (auto fault = read_profile(settings, config)) return std::unexpected(*fault);
  if (auto fault = read_image_store(settings, config)) return std::unexpected(*fault);
  if (auto fault = read_adapters(settings, config)) return std::unexpected(*fault);
  config.uefi_code = settings.text("provisioner.uefi_code", "/usr/share/OVMF/OVMF_CODE_4M.fd");
  config.uefi_variables =
      settings.text("provisioner.uefi_variables", "/usr/share/OVMF/OVMF_VARS_4M.fd");
  if (const auto name = settings.text("provisioner.qemu_user", ""); !name.empty()) {
    const auto user = find_qemu_user(name);
    if (!user) return std::unexpected(msg::invalid("provisioner.qemu_user", user.error().detail));
    config.qemu_user = *user;
  }
  if (config.port_prefix.size() > 7 || !msg::is_name(config.port_prefix))
    return std::unexpected(
        msg::invalid("provisioner.port_prefix", "must be a name of 1 to 7 characters"));
  if (is_simulated && host_id.empty()) {
    if (host_count > 1 && !config.adapter_functions.empty())
      return std::unexpected(msg::invalid("provisioner.adapters",
                                          "only one simulated host of a process has adapters"));
    for (std::int64_t i = 1; i <= host_count; ++i)
      config.hosts.push_back({fmt::format("sim-{:04}", i)});
    return config;
  }
  if (auto fault = msg::check_name("provisioner.host_id", host_id)) return std::unexpected(*fault);
  config.hosts.push_back({host_id});
  return config;
}

std::string metrics_address_of(const Config& config) {
  if (!config.metrics_listen || config.metrics_listen->port == 0) return {};
  core::Endpoint reached = *config.metrics_listen;
  const bool is_any = reached.address == "0.0.0.0" || reached.address == "::";
  const bool is_loopback = reached.address.starts_with("127.") || reached.address == "::1";
  if (is_loopback && !config.address.empty()) return {};
  if (!is_any) return reached.text();
  reached.address = config.address.empty() ? "127.0.0.1" : config.address;
  reached.is_ipv6 = reached.address.find(':') != reached.address.npos;
  return reached.text();
}

}  // namespace nucleus::provisioner
