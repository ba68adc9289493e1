// The InfiniBand adapters of hosts: which placement has which, and when it may use them.
#pragma once

#include "messages/adapters.hpp"
#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// Gives a node that is being placed one adapter of its host on each fabric that it needs, all of
/// one NUMA cell if that has them. The caller has taken the room from the draft's pool.
void lease_adapters(Draft& draft, StoredNode& node);

/// The node leaves its host. Its adapters are in use until PartitionsLeft.
void release_adapters(Draft& draft, StoredNode& node);

Plan plan_partitions_joined(const View& view, const msg::PartitionsJoined& event,
                            std::int64_t now_unix_ms);
Plan plan_partitions_left(const View& view, const msg::PartitionsLeft& event,
                          std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler
