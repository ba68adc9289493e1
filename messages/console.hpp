// The console service's messages: tickets. The stream itself goes from browser to console service,
// never over the bus.
#pragma once

#include <string>

#include "messages/common.hpp"
#include "messages/provisioner.hpp"

namespace nucleus::msg {

/// A right to open one console once.
struct ConsoleTicket {
  std::string ticket = {};  // 43 characters of base64url; single use; a secret
  std::string url = {};     // ws://HOST:PORT/console; the ticket goes into Sec-WebSocket-Protocol,
                            // never into the URL
  std::int64_t expires_unix_ms = 0;
  NUCLEUS_FIELDS(ticket, url, expires_unix_ms);
};

/// `wrong_state` if the node does not run.
struct IssueTicket {
  static constexpr std::string_view topic = "console.issue-ticket";
  using Reply = ConsoleTicket;
  NodeId node_id = {};
  ConsoleKind kind = ConsoleKind::unknown;
  HostId host_id = {};          // where the node runs
  PersonId person_id = {};      // who asked: the console closes when the right to it ends
  ProjectId project_id = {};    // the node's
  std::string token_id = {};    // of the person's token; empty = another credential
  std::string person_uid = {};  // of the Principal
  ClusterId cluster_id = {};    // the node's
  std::string node_name = {};
  std::string origin = {};  // of the pages that may use it: SCHEME://HOST:PORT; empty = any page
  NUCLEUS_FIELDS(node_id, kind, host_id, person_id, project_id, token_id, person_uid, cluster_id,
                 node_name, origin);
};

/// A person's session with a console, from its ticket's use to its end.
struct ConsoleSession {
  std::string session_id = {};  // never used again
  NodeId node_id = {};
  std::string node_name = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  ConsoleKind kind = ConsoleKind::unknown;
  PersonId person_id = {};
  std::int64_t opened_unix_ms = 0;
  std::int64_t closed_unix_ms = 0;  // 0 = it is open
  bool is_writer = false;           // what the person types goes to the console
  bool has_typed = false;           // the person has typed at least once
  NUCLEUS_FIELDS(session_id, node_id, node_name, cluster_id, project_id, kind, person_id,
                 opened_unix_ms, closed_unix_ms, is_writer, has_typed);
};

/// A session was opened or closed, or its role changed: who watched a console, and who typed.
struct ConsoleSessionChanged {
  static constexpr std::string_view topic = "console.session-changed";
  ConsoleSession session = {};
  NUCLEUS_FIELDS(session);
};

}  // namespace nucleus::msg
