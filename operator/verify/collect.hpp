// Reads what `nucleus verify` compares: Redis, and libvirt and Open vSwitch of the hosts of this
// machine.
#pragma once

#include "core/result.hpp"
#include "operator/deployment.hpp"
#include "operator/verify/evidence.hpp"

namespace nucleus::operator_ {

/// Records are read one service after another, while they may change. An error if something could
/// not be read.
core::Result<Evidence> collect_evidence(const StateDirectory& state, const Deployment& deployment);

}  // namespace nucleus::operator_
