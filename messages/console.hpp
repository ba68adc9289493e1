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
  NUCLEUS_FIELDS(node_id, kind, host_id, person_id, project_id, token_id, person_uid);
};

}  // namespace nucleus::msg
