// The records of the provisioner; private to this room.
#pragma once

#include <string>

#include "messages/provisioner.hpp"

namespace nucleus::provisioner {

/// pending: its domain has not run. running: it has. ended: it has stopped, or was stopped before
/// it ran, and is never started again under this epoch.
NUCLEUS_ENUM(GrantPhase, pending, running, ended)

/// A grant and the progress of its domain. An ended one is kept, so that its domain is not started
/// again, until a newer epoch or a complete list replaces it.
struct StoredGrant {
  msg::HostId host_id = {};
  msg::Grant grant = {};
  std::string domain_name = {};
  std::string domain_uuid = {};  // the same under every epoch; names are reused, uuids are not
  GrantPhase phase = GrantPhase::pending;
  bool is_revoked = false;  // the domain is destroyed and the record removed, with no report
  std::uint64_t reboots_done = 0;
  std::uint64_t resets_done = 0;
  msg::DomainState reported_state = msg::DomainState::unknown;
  std::string reported_reason = {};
  bool is_reported_preparing = false;
  // What became of the grant's hibernation_id; unknown = not tried yet.
  msg::HibernationOutcome hibernation = msg::HibernationOutcome::unknown;
  std::string hibernation_reason = {};  // why it failed
  std::uint64_t memory_bytes = 0;       // that were saved
  msg::HibernationOutcome reported_hibernation = msg::HibernationOutcome::unknown;
  NUCLEUS_FIELDS(host_id, grant, domain_name, domain_uuid, phase, is_revoked, reboots_done,
                 resets_done, reported_state, reported_reason, is_reported_preparing, hibernation,
                 hibernation_reason, memory_bytes, reported_hibernation);
};

struct StoredHost {
  msg::HostId host_id = {};
  std::uint64_t revision = 0;  // of the grants applied
  NUCLEUS_FIELDS(host_id, revision);
};

/// A change that the scheduler has not acknowledged yet.
struct StoredReport {
  std::uint64_t number = 0;
  msg::DomainChanged change = {};
  NUCLEUS_FIELDS(number, change);
};

/// The log of all reports of this process, those acknowledged included.
struct StoredReportLog {
  std::string log_id = {};         // made with the log
  std::uint64_t last = 0;          // number of the newest report; 0 = none
  std::uint64_t acknowledged = 0;  // the scheduler has recorded the reports up to here
  NUCLEUS_FIELDS(log_id, last, acknowledged);
};

}  // namespace nucleus::provisioner
