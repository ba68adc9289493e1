// A console that a ticket opens for one viewer.
#pragma once

#include <memory>

#include "messages/console.hpp"
#include "services/console/session_right.hpp"

namespace nucleus::console {

struct Console {
  msg::NodeId node_id = {};
  msg::HostId host_id = {};
  msg::ConsoleKind kind = msg::ConsoleKind::unknown;
  std::shared_ptr<SessionRight> right = std::make_shared<SessionRight>();
};

}  // namespace nucleus::console
