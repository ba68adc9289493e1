// `--wait`: follows the deployment's events until an operation is done, and shows its progress.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "client/api/api.hpp"
#include "client/grammar/command.hpp"

namespace nucleus::client {

struct WaitOption {
  bool is_wanted = false;
  std::chrono::minutes limit{30};
};
/// The values of `--wait` and `--wait-limit`. `invalid_argument`: the limit is malformed; commands
/// check it before they change anything.
core::Result<WaitOption> wait_option(const Words& words);

struct Progress {
  std::string line = {};
  bool is_done = false;
  bool is_failed = false;
};

using LookAt = std::function<core::Result<Progress>()>;

/// Calls `look` first, after each event, and each second while the event stream is not available.
/// Returns 0 when it is done and 1 when it failed; `deadline_exceeded` after the limit.
core::Result<int> wait_until_done(const Api& api, const WaitOption& option, const LookAt& look);

/// Looks at a computeset that starts, or that ends.
LookAt look_at_set(const Api& api, const std::string& id, bool is_start);

/// Pure: the progress of a computeset towards running, or towards its end.
Progress start_progress(const Json& computeset);
Progress end_progress(const Json& computeset);
/// Pure: the progress of nodes of a cluster towards on or off; of the frontend if `names` is empty.
Progress power_progress(const Json& cluster, const std::vector<std::string>& names, bool is_on);

}  // namespace nucleus::client
