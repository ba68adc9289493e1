// Compresses the nodes of a cluster for grants: names and addresses that increase together form a
// range. Pure functions.
#pragma once

#include <span>
#include <vector>

#include "core/result.hpp"
#include "messages/provisioner.hpp"

namespace nucleus::core::hostlist {

/// Ranges in the order of `peers`: `vm-demo-00` to `vm-demo-99` on consecutive addresses are one.
std::vector<msg::PeerRange> collect_peers(std::span<const msg::Peer> peers);

/// The peers of `ranges`. `invalid_argument`: more than 100,000 peers, an invalid hostlist or
/// address.
Result<std::vector<msg::Peer>> expand_peers(std::span<const msg::PeerRange> ranges);

}  // namespace nucleus::core::hostlist
