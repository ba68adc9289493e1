// How far hosts have copied the images under the disks of their nodes: part of heartbeats and of
// the states of nodes.
#pragma once

#include "messages/common.hpp"

namespace nucleus::msg {

/// How much of the image under a node's disk is on the node's host. The rest is copied while the
/// node runs.
struct ImageCopy {
  NodeId node_id = {};
  std::uint64_t copied_bytes = 0;  // 0..total_bytes, without chunks of zeros
  std::uint64_t total_bytes = 0;   // 0..2^50
  std::uint64_t bytes_per_s = 0;   // over the last seconds; 0 = nothing is copied now
  std::string reason = {};         // why it is not being copied; empty = it is; 0..1024 bytes
  NUCLEUS_FIELDS(node_id, copied_bytes, total_bytes, bytes_per_s, reason);
};

constexpr std::size_t image_copies_max = 1000;  // of one host, in a heartbeat

}  // namespace nucleus::msg
