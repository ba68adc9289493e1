// What a new deployment begins with: project demo, its admin, an operator; their keys and tokens,
// told in DIR/env for a shell to source.
#pragma once

#include "operator/caller.hpp"
#include "operator/deployment.hpp"

namespace nucleus::op {

/// How people and programs reach a deployment, as DIR/env tells them.
struct EntryPoints {
  std::string url = {};      // of the gateway
  std::string ca_file = {};  // whose certificates clients believe; empty = what their machine does
  std::string events_url = {};                     // of the bus, for ZeroMQ subscribers
  CurveSecrets curve = {};                         // the bus's public key and the subscriber's pair
  std::map<std::string, std::string> others = {};  // NAME=VALUE
};

EntryPoints entry_points(const StateDirectory& state, const Deployment& deployment);

/// Makes what is not there yet and writes DIR/env; safe to repeat. A token once told stays.
core::Result<void> prepare_people(const StateDirectory& state, const EntryPoints& entry,
                                  Caller& caller);

/// Lets the admin's ZeroMQ subscriber in: its CURVE key may hear project demo. Before the bus
/// starts.
core::Result<void> write_rights(const StateDirectory& state, const Deployment& deployment);

}  // namespace nucleus::op
