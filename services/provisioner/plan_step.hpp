// The next step that brings a domain to its grant, and the phases of a grant. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "services/provisioner/records.hpp"

namespace nucleus::provisioner {

/// `record_…` and `forget` change the record alone; the others act on the domain or, once there is
/// none, on its adapters (`release`). `save` its memory, `resume` it from that; `settle` finds out
/// whether a domain that runs was resumed.
NUCLEUS_ENUM(Step, none, create, destroy, shut_down, reboot, reset, record_running, record_end,
             forget, release, save, resume, settle)

/// What plan_step() reads besides the grant.
struct DomainView {
  std::optional<std::uint64_t> epoch =
      {};                         // of the observed domain with this name; none = no domain
  bool is_fenced = false;         // the host's lease is over
  bool is_being_created = false;  // a call to create it has not returned
  bool is_shutdown_sent = false;  // by this process, under this epoch
  bool has_adapters = false;      // that were not released since
  std::int64_t now_unix_ms = 0;
};

/// The table in docs/states.md, "Domain": the first row that fits; `release` before a grant ends.
Step plan_step(const StoredGrant& stored, const DomainView& domain);

/// Whether the step is a call of the driver.
bool is_driver_step(Step step);

/// Whether the table in docs/states.md, "Grant", has this transition.
bool may_advance(GrantPhase from, GrantPhase to);

/// The record in another phase; the transition is in the table.
StoredGrant advanced(StoredGrant stored, GrantPhase to);

}  // namespace nucleus::provisioner
