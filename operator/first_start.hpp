// The first accounts of a new deployment: project demo, its admin, an operator, with keys and
// tokens. DIR/env contains them for a shell to source.
#pragma once

#include "operator/caller.hpp"
#include "operator/deployment.hpp"
#include "operator/yaml_map.hpp"

namespace nucleus::operator_ {

inline const msg::ProjectId first_project{"demo"};

/// How people and programs reach a deployment, as written to DIR/env.
struct Endpoints {
  std::string url = {};         // of the gateway
  std::string ca_file = {};     // CA that clients use; empty = their system's CAs
  std::string events_url = {};  // of the bus, for ZeroMQ subscribers
  CurveSecrets curve = {};      // the bus's public key and the subscriber's pair
  TextMap others = {};          // further environment variables
};

Endpoints endpoints(const StateDirectory& state, const Deployment& deployment);

/// Creates what does not exist yet and writes DIR/env. Safe to repeat: valid tokens are kept.
core::Result<void> create_first_accounts(const StateDirectory& state, const Endpoints& endpoints,
                                         Caller& caller);

/// Allows the subscriber's CURVE key of DIR/env to read the events of project demo.
core::Result<void> write_subscriber_rights(const StateDirectory& state,
                                           const Deployment& deployment);

}  // namespace nucleus::operator_
