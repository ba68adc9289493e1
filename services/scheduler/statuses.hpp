// Records as other processes see them: pure functions.
#pragma once

#include "services/scheduler/changes.hpp"
#include "services/scheduler/view.hpp"

namespace nucleus::scheduler {

/// `computeset`: the unfinished one that the node is in, or null.
msg::NodeStatus status_of(const StoredNode& node, const StoredComputeset* computeset);

/// Without `last_heartbeat_unix_ms`, which is in no record.
msg::Host status_of(const StoredHost& host, const Resources& used);

/// The grant for the host that the node is placed on.
msg::Grant grant_of(const StoredNode& node, const View& view);

/// What the events of a change show: each computeset, host and node that differs in what is shown.
struct Shown {
  std::vector<msg::Computeset> computesets = {};
  std::vector<msg::Host> hosts = {};
  std::vector<msg::NodeStatus> nodes = {};
  std::vector<msg::ClusterIsolation> isolations = {};  // of clusters whose isolation broke or holds
                                                       // again
};
Shown shown_by(const View& before, const Changes& changes);

}  // namespace nucleus::scheduler
