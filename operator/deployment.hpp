// What a deployment is made of: its options and ports (kept in DIR/deployment.yaml) and, from
// those, each process with its arguments and settings.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "operator/state_directory.hpp"

namespace nucleus::op {

/// Absolute paths of PEM files; all empty = plain HTTP.
struct TlsOptions {
  std::string certificate = {};
  std::string key = {};
  std::string ca = {};  // what clients are told to believe; empty = what their machine believes
  bool operator==(const TlsOptions&) const = default;
};

struct Options {
  std::string listen_address = "127.0.0.1";  // of the gateway
  std::uint16_t listen_port = 0;             // 0 = a free one is chosen, and kept
  bool is_simulated = false;
  std::uint32_t host_count = 1;  // of simulated hosts
  TlsOptions tls = {};
  bool operator==(const Options&) const = default;
};

/// `ADDR:PORT` with a numeric IPv4 address.
core::Result<void> parse_listen(const std::string& text, Options& options);

struct CurveSecrets {
  std::string server_public = {};
  std::string server_secret = {};
  std::string admin_public = {};  // of the subscriber that DIR/env is for
  std::string admin_secret = {};
};

struct Deployment {
  Options options = {};
  std::map<std::string, std::uint16_t> ports = {};  // gateway, console, events, metrics.SERVICE
  std::string host_id = {};                         // of the real host
  std::string short_id = {};                        // 4 hex digits, in the names of interfaces
  CurveSecrets curve = {};
};

/// The deployment of before, or nothing where there was none.
core::Result<std::optional<Deployment>> load_deployment(const StateDirectory& state);
core::Result<void> save_deployment(const StateDirectory& state, const Deployment& deployment);
/// Chooses a port for whatever has none, and another one where a stranger took it meanwhile.
core::Result<void> choose_ports(Deployment& deployment);

struct Child {
  std::string name = {};      // of its pid file, log and settings
  std::string bus_name = {};  // empty = not on the bus
  std::vector<std::string> argv = {};
  std::vector<std::string> environment = {};         // NAME=VALUE, added to our own
  std::map<std::string, std::string> settings = {};  // written to DIR/config/NAME.yaml
  bool is_ground = false;                            // the others stand on it: it is stopped last
};

/// Every process of the deployment, in the order of their start. Programs are looked for in
/// `programs` (ours) and along PATH.
std::vector<Child> plan_children(const StateDirectory& state, const Deployment& deployment,
                                 const std::string& programs);

/// Names each program that is not there, or nothing.
std::vector<std::string> missing_programs(const std::vector<Child>& children);

/// Writes each child's settings file.
core::Result<void> write_settings(const StateDirectory& state, const std::vector<Child>& children);

/// Writes DIR/monitoring/targets.json, which Prometheus reads as it changes (file_sd): where each
/// child has its /metrics, and its name.
core::Result<void> write_targets(const StateDirectory& state, const std::vector<Child>& children);

/// Where the taps, bridge and domains of a real deployment live.
std::string network_namespace(const Deployment& deployment);
std::string libvirt_uri(const StateDirectory& state);
/// The folder of the running program.
std::string programs_folder();
/// The program's path along PATH; empty where there is none.
std::string find_program(const std::string& name);

}  // namespace nucleus::op
