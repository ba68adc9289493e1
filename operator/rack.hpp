// A rack on one machine: hosts in network namespaces of their own, each with its switch, libvirtd
// and provisioner, joined to the head over TCP as hosts on other machines are. Each has a link to
// the head, and an uplink to a switch that all share, which carries the tenants' VLANs.
#pragma once

#include <cstdint>
#include <string>

#include "operator/deployment.hpp"

namespace nucleus::operator_ {

constexpr std::uint32_t rack_hosts_max = 60;

/// Host `index`, from 1: rack-1, with the state directory DIR/rack/1.
std::string rack_host_id(std::uint32_t index);
StateDirectory rack_state(const StateDirectory& state, std::uint32_t index);
/// The head's address on its links to the hosts: in 100.64.0.0/10 (RFC 6598), by the deployment's
/// short id, so that deployments can run side by side.
std::string rack_head_address(const std::string& short_id);

/// Creates the shared switch, and each host's namespace, link and uplink, without what earlier ones
/// of these names had.
core::Result<void> make_rack_network(const Deployment& deployment);
void remove_rack_network(const Deployment& deployment);

/// The processes of all hosts; their names are of one host alone.
std::vector<Child> rack_children(const StateDirectory& state, const Deployment& deployment);

/// Whether a process of any of its hosts runs, with or without a head.
bool is_rack_running(const StateDirectory& state, const Deployment& deployment);
/// Joins and starts the hosts that do not run. The head must run.
core::Result<void> start_rack(const StateDirectory& state, const Deployment& deployment);
/// Stops all hosts and their domains.
core::Result<void> stop_rack(const StateDirectory& state, const Deployment& deployment);

}  // namespace nucleus::operator_
