// A console that a ticket opens for one viewer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "messages/console.hpp"
#include "services/console/session_right.hpp"

namespace nucleus::console {

/// What a viewer asks for when it attaches: the query of its URL.
struct Attachment {
  /// Of the first byte it gets; negative = from the end of the log.
  std::int64_t offset = -msg::console_tail_bytes;
  std::string log_id = {};    // that `offset` belongs to; empty = any
  bool is_read_only = false;  // it never types
  bool is_announced = false;  // it gets text messages: offsets, gaps and roles
};

/// Up to where a log of a node is recorded.
struct RecordedUpTo {
  std::string log_id = {};
  std::uint64_t offset = 0;
};

struct Console {
  msg::NodeId node_id = {};
  msg::HostId host_id = {};
  msg::ConsoleKind kind = msg::ConsoleKind::unknown;
  std::uint64_t epoch = 0;  // of the domain; 0 = any
  msg::PersonId person_id = {};
  std::string session_id = {};
  msg::ProjectId project_id = {};
  msg::ClusterId cluster_id = {};
  std::string node_name = {};
  RecordedUpTo recorded = {};
  Attachment attachment = {};
  std::shared_ptr<SessionRight> right = std::make_shared<SessionRight>();
};

}  // namespace nucleus::console
