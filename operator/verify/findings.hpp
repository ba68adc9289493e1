// The invariants that `nucleus verify` checks. Pure.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "operator/verify/evidence.hpp"

namespace nucleus::operator_ {

struct Violation {
  std::string what = {};     // one line that names the objects
  std::string command = {};  // that mends it; empty = none does: it is a fault of Nucleus
  auto operator<=>(const Violation&) const = default;
};

/// All that breaks an invariant, in order. Some of it may only be on its way, because services
/// handle a change one after another: what counts is what stays.
std::vector<Violation> find_violations(const Evidence& evidence);

}  // namespace nucleus::operator_
