// The list of services. The supervisor's children, their ports and keys, and the targets of
// Prometheus in `DIR/monitoring` are made from it. Lists that are written by hand (compose.yml,
// prometheus.yml, README.md) are compared with it by tools/check_services, which parses this file.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace nucleus::operator_ {

struct Service {
  std::string_view name = {};  // on the bus, and of its settings, log and pid file
  bool is_per_host = false;    // its name on the bus is NAME/HOST
};

/// In the order of their start.
inline constexpr std::array services = {
    Service{.name = "bus"},
    Service{.name = "registry"},
    Service{.name = "scheduler"},
    Service{.name = "network"},
    Service{.name = "image_store"},
    Service{.name = "console"},
    Service{.name = "overhead"},
    Service{.name = "gateway"},
    Service{.name = "provisioner", .is_per_host = true},
};

inline std::string program_of(std::string_view service) {
  std::string program = "nucleus-" + std::string(service);
  std::ranges::replace(program, '_', '-');
  return program;
}

/// The purpose under which a service's /metrics port is stored.
inline std::string metrics_port(std::string_view service) {
  return "metrics." + std::string(service);
}

}  // namespace nucleus::operator_
