// The uplinks of a host: interfaces that the host takes from the machine.
#pragma once

#include <string>

#include "core/result.hpp"

namespace nucleus::operator_ {

/// Refuses what is not an interface of this machine, or is used for anything else: the machine
/// would lose it. `option` named it.
core::Result<void> check_uplink(const std::string& option, const std::string& name);

}  // namespace nucleus::operator_
