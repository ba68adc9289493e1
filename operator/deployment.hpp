// A deployment: its options and ports, stored in DIR/deployment.yaml, and its processes, which
// follow from those.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "operator/children.hpp"
#include "operator/host_deployment.hpp"

namespace nucleus::operator_ {

/// Absolute paths of PEM files; all empty = plain HTTP.
struct TlsOptions {
  std::string certificate = {};
  std::string key = {};
  std::string ca = {};  // CA file that clients are given; empty = they use their system's CAs
  bool is_off = false;  // plain HTTP on every address, not only on the loopback one
  bool operator==(const TlsOptions&) const = default;
};

struct Options {
  std::string listen_address = "127.0.0.1";  // of the gateway, and of the console unless it is set
  std::uint16_t listen_port = 0;             // 0 = choose a free one, and keep it
  bool is_simulated = false;
  std::uint32_t host_count = 1;           // of simulated hosts
  std::string console_address = {};       // for viewers
  std::uint32_t rack_hosts = 0;           // joined hosts on this machine, in place of its own host
  bool has_slurm = false;                 // a private one, on all hosts of the rack but the first
  std::string bus_address = "127.0.0.1";  // where joined hosts and subscribers reach the head
  TlsOptions tls = {};
  std::map<std::string, std::uint16_t> fixed_ports = {};  // by purpose; others are chosen
  bool operator==(const Options&) const = default;
};

struct CurveSecrets {
  std::string server_public = {};
  std::string server_secret = {};
  std::string admin_public = {};  // of the subscriber whose keys are in DIR/env
  std::string admin_secret = {};
};

struct Deployment {
  Options options = {};
  // console, console_hosts, image_store, requests, events, metrics.SERVICE
  std::map<std::string, std::uint16_t> ports = {};
  std::string host_id = {};   // of the real host
  std::string short_id = {};  // 4 hex digits, in the names of interfaces
  CurveSecrets curve = {};
};

/// Whether the machine itself is a host with a hypervisor.
inline bool has_own_host(const Options& options) {
  return !options.is_simulated && options.rack_hosts == 0;
}

/// The address that the console listens on for viewers.
inline const std::string& console_address(const Options& options) {
  return options.console_address.empty() ? options.listen_address : options.console_address;
}

/// True for `192.0.2.7`, without a port.
bool is_ipv4_address(const std::string& text);
/// `--listen` and `--console-listen`: ADDRESS:PORT with a numeric IPv4 address.
core::Result<void> parse_listen(const std::string& text, Deployment& deployment);
core::Result<void> parse_console_listen(const std::string& text, Deployment& deployment);

/// ADDRESS:PORT that hosts connect to; `purpose`: requests, events, console_hosts, image_store.
std::string head_endpoint(const Deployment& deployment, const std::string& purpose);
/// tcp://ADDRESS:PORT of the bus; `purpose`: requests, events.
std::string bus_url(const Deployment& deployment, const std::string& purpose);

/// The stored deployment; nothing if there is none.
core::Result<std::optional<Deployment>> load_deployment(const StateDirectory& state);
/// As load_deployment; `not_found` if there is none.
core::Result<Deployment> open_deployment(const StateDirectory& state);
core::Result<void> save_deployment(const StateDirectory& state, const Deployment& deployment);
/// 4 random hex digits.
std::string new_short_id();
/// Chooses names and keys, if there are none yet.
void choose_identity(Deployment& deployment);

/// All processes of the deployment, without those of joined hosts, in the order of their start. Our
/// programs are in the folder `programs`; others are searched in PATH.
std::vector<Child> plan_children(const StateDirectory& state, const Deployment& deployment,
                                 const std::string& programs);

/// Writes DIR/monitoring/targets.json, which Prometheus watches (file_sd): name and address of
/// each child that serves /metrics.
core::Result<void> write_targets(const StateDirectory& state, const std::vector<Child>& children);

/// The host that is this machine itself; only if has_own_host().
HostDeployment own_host(const StateDirectory& state, const Deployment& deployment);

}  // namespace nucleus::operator_
