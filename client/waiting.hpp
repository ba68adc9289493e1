// `--wait`: follows the deployment's events till what was asked for is so, and shows how far it is.
#pragma once

#include <functional>
#include <string>

#include "client/api/api.hpp"

namespace nucleus::client {

struct WaitOption {
  bool is_wanted = false;
  std::string limit = "30m";  // a walltime
};

struct Progress {
  std::string line = {};
  bool is_done = false;
  bool is_failed = false;
};

using LookAt = std::function<core::Result<Progress>()>;

/// Looks at the beginning and after each event: 0 once it is done, 1 where it failed or the limit
/// passed. A line that changes, at a terminal; else one line a change.
core::Result<int> wait_until_done(const Api& api, const WaitOption& option, const LookAt& look);

/// Pure: how far a computeset is on its way to run, or to its end.
Progress start_progress(const Json& computeset);
Progress end_progress(const Json& computeset);
/// Pure: how far these nodes of a cluster are on their way on or off; `names` empty = the frontend.
Progress power_progress(const Json& cluster, const std::vector<std::string>& names, bool is_on);

}  // namespace nucleus::client
