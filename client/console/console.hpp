// A node's serial console at this terminal, or as a stream on standard output (docs/consoles.md).
#pragma once

#include <string>

#include "client/api/api.hpp"

namespace nucleus::client {

struct ConsoleOptions {
  std::string tickets_path = {};  // a POST to it issues a ticket
  std::string name = {};          // of the node, for messages
  bool is_interactive = false;    // standard input and output are a terminal
  bool is_read_only = false;
  bool is_from_start = false;  // from the oldest byte that is kept
  bool is_plain = false;
  std::string record_path = {};  // empty = none
};

/// Shows the console until it ends, the person leaves, or a signal. Standard error gets what is not
/// of the guest. Returns 0, or 128 + N for a signal N but SIGINT.
core::Result<int> attach_console(const Api& api, const ConsoleOptions& options);

}  // namespace nucleus::client
