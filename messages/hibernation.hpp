// Hibernation of computesets: the memory of their nodes is saved, and their hosts are free until
// they are resumed.
#pragma once

#include "messages/scheduler.hpp"

namespace nucleus::msg {

/// Saves the memory of all nodes of a running computeset and frees its hosts. It is charged until
/// the last node is off. A node whose memory cannot be saved is shut down, and boots when the
/// computeset is resumed. One that the viewer does not see is `not_found`; `wrong_state` unless it
/// runs.
struct HibernateComputeset {
  static constexpr std::string_view topic = "scheduler.hibernate-computeset";
  using Reply = Computeset;
  ComputesetId computeset_id = 0;
  Viewer viewer = {};
  NUCLEUS_FIELDS(computeset_id, viewer);
};

/// Resumes a hibernated computeset: it waits for hosts like a new one, and keeps the rest of its
/// walltime. While it waits, the request may be repeated to discard its memory. `wrong_state`
/// unless it is hibernated or waits to be resumed.
struct ResumeComputeset {
  static constexpr std::string_view topic = "scheduler.resume-computeset";
  using Reply = Computeset;
  ComputesetId computeset_id = 0;
  Viewer viewer = {};
  bool discards_memory = false;  // its nodes boot, and need not wait for the hosts that saved them
  NUCLEUS_FIELDS(computeset_id, viewer, discards_memory);
};

/// The memory of a node that a host saved.
struct SavedMemory {
  NodeId node_id = {};
  std::string hibernation_id = {};
  NUCLEUS_FIELDS(node_id, hibernation_id);

  friend bool operator==(const SavedMemory&, const SavedMemory&) = default;
};

constexpr std::size_t saved_memories_max = 10'000;

/// The saved memory that a host keeps: it deletes all other that its grants do not use.
/// `wrong_state`: it has reported something since, and deletes nothing, or a grant uses memory that
/// the list does not name; send a new list.
struct KeepMemories {
  static constexpr std::string_view topic = "provisioner.keep-memories";
  using Reply = Done;
  HostId host_id = {};
  std::string log_id = {};                 // of the host's reports
  std::uint64_t reported = 0;              // the newest one that the list takes into account
  std::vector<SavedMemory> memories = {};  // 0..10000
  NUCLEUS_FIELDS(host_id, log_id, reported, memories);
};

inline std::optional<Error> check(const KeepMemories& request) {
  if (request.memories.size() > saved_memories_max)
    return invalid("memories", "memories must have at most 10000 entries");
  for (const auto& memory : request.memories) {
    if (auto broken = check_name("node_id", memory.node_id.value)) return broken;
    if (auto broken = check_name("hibernation_id", memory.hibernation_id)) return broken;
  }
  return std::nullopt;
}

}  // namespace nucleus::msg
