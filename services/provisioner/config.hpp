// The provisioner's settings, read once at the start.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/settings.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

struct Config {
  std::vector<msg::HostId> hosts = {};  // one real host; or simulated ones, sim-0001 on
  bool is_simulated = false;
  std::string libvirt_uri = {};      // test:///default where simulated
  std::string state_directory = {};  // consoles, logs and seed drives; not needed where simulated
  std::string bridge = {};           // Open vSwitch bridge of the ports
  std::string port_prefix = "nuc";   // of tap names, so that several deployments share a machine
  Accel accelerator = Accel::tcg;
  std::string accelerator_reason = {};
  std::uint32_t cpus = 0;             // of each host; 0 = ask the hypervisor
  std::uint64_t memory_mb = 0;        // of each host; 0 = ask the hypervisor
  std::string pingpong_program = {};  // of the native baseline; empty = no MPI probe on the host
  std::int64_t heartbeat_ms = 500;    // to the scheduler
  std::int64_t ping_ms = 300;         // how often the hypervisor is asked whether it answers
  std::int64_t ping_deadline_ms = 1'000;
  std::int64_t step_deadline_ms = 60'000;  // of one step at a domain
  std::int64_t retry_ms_max = 30'000;      // between tries at what fails; doubled from 500

  /// Reads `provisioner.*`; fails where they do not fit each other.
  static core::Result<Config> from(core::Settings& settings);
};

}  // namespace nucleus::provisioner
