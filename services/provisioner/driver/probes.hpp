// The measurements of nodes and hosts. No other command can be requested.
#pragma once

#include "messages/provisioner.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// Inside a node, through its guest agent. `unavailable`: no agent answers.
core::Result<msg::ProbeResult> run_node_probe(Hypervisor& hypervisor, const std::string& domain,
                                              msg::Probe probe, const std::vector<msg::Peer>& peers,
                                              std::chrono::milliseconds deadline);

/// On this host itself. `pingpong_program` is the program that the image has too; fio writes to
/// `directory`.
core::Result<msg::ProbeResult> run_host_probe(msg::Probe probe, const std::string& pingpong_program,
                                              const std::string& directory,
                                              std::chrono::milliseconds deadline);

/// The figures in what a probe printed; `internal` if there are none.
core::Result<msg::ProbeResult> parse_pingpong(const std::string& output);
core::Result<msg::ProbeResult> parse_fio(const std::string& output);

}  // namespace nucleus::provisioner
