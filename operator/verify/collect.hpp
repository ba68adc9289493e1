// Reads what `nucleus verify` compares: Redis, libvirt and Open vSwitch of the hosts of this
// machine, and Slurm.
#pragma once

#include "core/result.hpp"
#include "operator/deployment.hpp"
#include "operator/verify/evidence.hpp"

namespace nucleus::operator_ {

/// Records are read one service after another, while they may change. An error if something could
/// not be read.
core::Result<Evidence> collect_evidence(const StateDirectory& state, const Deployment& deployment);

/// What is on one host of this machine: domains with our metadata, or of the names in `nodes`, and
/// the taps of nodes.
core::Result<HostEvidence> collect_host_evidence(const StateDirectory& own,
                                                 const HostDeployment& host,
                                                 const std::set<std::string>& nodes);

}  // namespace nucleus::operator_
