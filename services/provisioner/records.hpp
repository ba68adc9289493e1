// What the provisioner stores; private to this room.
#pragma once

#include <string>

#include "messages/provisioner.hpp"

namespace nucleus::provisioner {

/// A grant, and how far its domain has come. One that has ended stays, so that it is not begun
/// again, until a newer one or a complete list takes its place.
struct StoredGrant {
  msg::HostId host_id = {};
  msg::Grant grant = {};
  std::string domain_name = {};
  bool is_void = false;   // no longer granted: the domain goes, nobody is told, the record goes
  bool has_run = false;   // under this epoch
  bool is_ended = false;  // it ran and ended, or was stopped; not begun again under this epoch
  std::uint64_t reboots_done = 0;
  std::uint64_t resets_done = 0;
  msg::DomainState told = msg::DomainState::unknown;
  std::string told_reason = {};
  NUCLEUS_FIELDS(host_id, grant, domain_name, is_void, has_run, is_ended, reboots_done, resets_done,
                 told, told_reason);
};

struct StoredHost {
  msg::HostId host_id = {};
  std::uint64_t revision = 0;  // of the grants applied
  NUCLEUS_FIELDS(host_id, revision);
};

}  // namespace nucleus::provisioner
