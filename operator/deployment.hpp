// A deployment: its options and ports, stored in DIR/deployment.yaml, and its processes with their
// arguments and settings, which follow from those.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "operator/state_directory.hpp"

namespace nucleus::operator_ {

/// Absolute paths of PEM files; all empty = plain HTTP.
struct TlsOptions {
  std::string certificate = {};
  std::string key = {};
  std::string ca = {};  // CA file that clients are given; empty = they use their system's CAs
  bool operator==(const TlsOptions&) const = default;
};

struct Options {
  std::string listen_address = "127.0.0.1";  // of the gateway
  std::uint16_t listen_port = 0;             // 0 = choose a free one, and keep it
  bool is_simulated = false;
  std::uint32_t host_count = 1;  // of simulated hosts
  TlsOptions tls = {};
  bool operator==(const Options&) const = default;
};

/// `ADDRESS:PORT` with a numeric IPv4 address.
core::Result<void> parse_listen(const std::string& text, Options& options);

struct CurveSecrets {
  std::string server_public = {};
  std::string server_secret = {};
  std::string admin_public = {};  // of the subscriber whose keys are in DIR/env
  std::string admin_secret = {};
};

struct Deployment {
  Options options = {};
  std::map<std::string, std::uint16_t> ports = {};  // console, events, metrics.SERVICE
  std::string host_id = {};                         // of the real host
  std::string short_id = {};                        // 4 hex digits, in the names of interfaces
  CurveSecrets curve = {};
};

/// The stored deployment; nothing if there is none.
core::Result<std::optional<Deployment>> load_deployment(const StateDirectory& state);
/// As load_deployment; `not_found` if there is none.
core::Result<Deployment> open_deployment(const StateDirectory& state);
core::Result<void> save_deployment(const StateDirectory& state, const Deployment& deployment);
/// Chooses a port for each purpose that has none or whose port another program uses by now.
core::Result<void> choose_ports(Deployment& deployment);

struct Child {
  std::string name = {};      // of its pid file, log and settings
  std::string bus_name = {};  // empty = not on the bus
  std::vector<std::string> argv = {};
  std::vector<std::string> environment = {};         // NAME=VALUE, added to our own
  std::map<std::string, std::string> settings = {};  // written to DIR/config/NAME.yaml
  bool is_infrastructure = false;                    // others depend on it, so it stops last
};

/// All processes of the deployment, in the order of their start. Our programs are in the folder
/// `programs`; others are searched in PATH.
std::vector<Child> plan_children(const StateDirectory& state, const Deployment& deployment,
                                 const std::string& programs);

/// The programs that do not exist.
std::vector<std::string> missing_programs(const std::vector<Child>& children);

/// Writes each child's settings file.
core::Result<void> write_settings(const StateDirectory& state, const std::vector<Child>& children);

/// Writes DIR/monitoring/targets.json, which Prometheus watches (file_sd): name and address of
/// each child that serves /metrics.
core::Result<void> write_targets(const StateDirectory& state, const std::vector<Child>& children);

/// The network namespace of a real deployment's bridge, taps and domains.
std::string network_namespace(const Deployment& deployment);
std::string libvirt_uri(const StateDirectory& state);
/// The folder of the running program.
std::string programs_folder();
/// The program's path, searched in PATH; empty if it does not exist.
std::string find_program(const std::string& name);

}  // namespace nucleus::operator_
