#include "services/provisioner/config.hpp"

#include <fmt/format.h>

#include "services/provisioner/driver/accelerator.hpp"

namespace nucleus::provisioner {

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  const std::string host_id = settings.text("provisioner.host_id", "");
  const auto simulated = settings.number("provisioner.simulated_hosts", 0, 0, 100'000);
  config.is_simulated = simulated > 0;
  config.libvirt_uri = settings.text("provisioner.libvirt_uri",
                                     config.is_simulated ? "test:///default" : "qemu:///system");
  config.state_directory = settings.text("provisioner.state_directory", "/var/lib/nucleus/host");
  config.bridge = settings.text("provisioner.bridge", "nucleus0");
  config.port_prefix = settings.text("provisioner.port_prefix", config.port_prefix);
  config.pingpong_program = settings.text("provisioner.pingpong_program", "");
  config.cpus = static_cast<std::uint32_t>(
      settings.number("provisioner.cpus", config.is_simulated ? 64 : 0, 0, 4096));
  config.memory_mb = static_cast<std::uint64_t>(settings.number(
      "provisioner.memory_mb", config.is_simulated ? 262'144 : 0, 0, 1'073'741'824));
  const auto milliseconds = [&](const char* key, std::int64_t& value, std::int64_t most) {
    value = settings.number(key, value, 10, most);
  };
  milliseconds("provisioner.heartbeat_ms", config.heartbeat_ms, 60'000);
  milliseconds("provisioner.ping_ms", config.ping_ms, 60'000);
  milliseconds("provisioner.ping_deadline_ms", config.ping_deadline_ms, 60'000);
  milliseconds("provisioner.step_deadline_ms", config.step_deadline_ms, 3'600'000);
  milliseconds("provisioner.retry_ms_max", config.retry_ms_max, 3'600'000);
  const std::string accelerator = settings.text("provisioner.accelerator", "auto");
  const std::string probe_kernel = settings.text("provisioner.probe_kernel", "");
  if (accelerator != "auto" && accelerator != "kvm" && accelerator != "tcg")
    return std::unexpected(msg::invalid("provisioner.accelerator", "must be auto, kvm or tcg"));
  if (config.port_prefix.size() > 7 || !msg::is_name(config.port_prefix))
    return std::unexpected(
        msg::invalid("provisioner.port_prefix", "must be a name of 1 to 7 characters"));
  if (config.is_simulated) {
    for (std::int64_t i = 1; i <= simulated; ++i)
      config.hosts.push_back({fmt::format("sim-{:04}", i)});
    return config;
  }
  if (auto broken = msg::check_name("provisioner.host_id", host_id))
    return std::unexpected(*broken);
  config.hosts.push_back({host_id});
  if (accelerator == "kvm") config.accelerator = Accel::kvm;
  if (accelerator == "auto") {
    const auto found = find_accelerator(probe_kernel);
    config.accelerator = found.accel;
    config.accelerator_reason = found.reason;
  }
  return config;
}

}  // namespace nucleus::provisioner
