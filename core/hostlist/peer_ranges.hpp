// The nodes of a cluster written short, for grants: names and addresses that count up together.
// Pure functions.
#pragma once

#include <span>
#include <vector>

#include "core/result.hpp"
#include "messages/provisioner.hpp"

namespace nucleus::core::hostlist {

/// In their order; `vm-demo-00` to `vm-demo-99` on neighbouring addresses are one range.
std::vector<msg::PeerRange> collect_peers(std::span<const msg::Peer> peers);

/// And back. More than 100,000 in all, a bad hostlist or address is `invalid_argument`.
Result<std::vector<msg::Peer>> expand_peers(std::span<const msg::PeerRange> ranges);

}  // namespace nucleus::core::hostlist
