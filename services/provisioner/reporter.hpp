// Reports what was observed of domains; nothing else does. Each change is recorded and emitted in
// one commit. Runs on the service's loop.
#pragma once

#include <string>

#include "core/bus/bus.hpp"
#include "core/state/store.hpp"
#include "services/provisioner/grants.hpp"

namespace nucleus::provisioner {

/// What is reported of a grant's domain.
struct DomainReport {
  msg::DomainState state = msg::DomainState::unknown;
  std::string reason = {};             // one line, without paths of this host
  std::int64_t last_seen_unix_ms = 0;  // only if it ended unobserved
};

class Reporter {
 public:
  Reporter(core::Bus& bus, core::Store& store, Grants& grants)
      : bus_{bus}, store_{store}, grants_{grants} {}

  /// Writes the record, and emits the report unless it repeats the last one.
  void report(StoredGrant stored, DomainReport report);

 private:
  core::Bus& bus_;
  core::Store& store_;
  Grants& grants_;
};

}  // namespace nucleus::provisioner
