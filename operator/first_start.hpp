// What a new deployment begins with: project demo, its admin, an operator; their keys and tokens,
// told in DIR/env for a shell to source.
#pragma once

#include "operator/caller.hpp"
#include "operator/deployment.hpp"

namespace nucleus::op {

/// Makes what is not there yet and writes DIR/env; safe to repeat. A token once told stays.
core::Result<void> prepare_people(const StateDirectory& state, const Deployment& deployment,
                                  Caller& caller);

/// Lets the admin's ZeroMQ subscriber in: its CURVE key may hear project demo. Before the bus
/// starts.
core::Result<void> write_rights(const StateDirectory& state, const Deployment& deployment);

}  // namespace nucleus::op
