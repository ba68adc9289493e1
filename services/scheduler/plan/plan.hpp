// What a decision is: data. The ledger writes it, `--plan` can show it, a unit test can read it.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "services/scheduler/changes.hpp"

namespace nucleus::scheduler {

struct Plan {
  /// The records as they become. Events follow from what differs from the view.
  Changes changes = {};
  /// Hosts whose grants change and so get a new revision, with the nodes whose grants are sent. A
  /// host without nodes only lost some.
  std::map<msg::HostId, std::set<msg::NodeId>> grants = {};
  /// Reports of provisioners that take effect, to be emitted.
  std::vector<msg::DomainChanged> observed = {};
  /// Nodes that an event shows although no record changes.
  std::set<msg::NodeId> shown_again = {};
  /// Something that waits may find room now.
  bool wants_pass = false;

  bool empty() const { return changes.empty() && grants.empty() && shown_again.empty(); }
};

}  // namespace nucleus::scheduler
