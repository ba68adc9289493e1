// What the console service stores: unused tickets.
#pragma once

#include "messages/console.hpp"

namespace nucleus::console {

/// The right to open one console once. The ticket itself is secret and is not stored.
struct StoredTicket {
  std::string hash = {};  // hex SHA-256 of the ticket
  msg::NodeId node_id = {};
  msg::ConsoleKind kind = msg::ConsoleKind::unknown;
  msg::HostId host_id = {};
  msg::PersonId person_id = {};
  std::int64_t expires_unix_ms = 0;
  msg::ProjectId project_id = {};
  std::string token_id = {};
  std::string person_uid = {};
  NUCLEUS_FIELDS(hash, node_id, kind, host_id, person_id, expires_unix_ms, project_id, token_id,
                 person_uid);
};

}  // namespace nucleus::console
