// What the console service stores: unused tickets, open sessions and recordings.
#pragma once

#include "messages/console.hpp"
#include "messages/recordings.hpp"

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
  msg::ClusterId cluster_id = {};
  std::string node_name = {};
  std::uint64_t epoch = 0;  // of the domain that it opens; 0 = any
  std::string origin = {};  // of the pages that may use it; empty = any
  NUCLEUS_FIELDS(hash, node_id, kind, host_id, person_id, expires_unix_ms, project_id, token_id,
                 person_uid, cluster_id, node_name, epoch, origin);
};

/// An open session. After a crash it tells which sessions have ended.
struct StoredSession {
  msg::ConsoleSession session = {};
  NUCLEUS_FIELDS(session);
};

/// A recording. Its file, which is in a folder of this machine, says the same.
struct StoredRecording {
  msg::Recording recording = {};
  NUCLEUS_FIELDS(recording);
};

}  // namespace nucleus::console
