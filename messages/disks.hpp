// Generations of nodes' disks, and the scheduler's messages about them: it decides when a disk may
// be worked on, the image store does the work.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "messages/common.hpp"

namespace nucleus::msg {

/// Generations that a disk may have at a time.
constexpr std::size_t generations_max = 16;

/// A disk as it was when it was saved. It never changes.
struct DiskGeneration {
  std::uint64_t number = 0;       // 1, 2, …: no other generation of this disk ever has it
  std::string name = {};          // empty = it has none
  std::int64_t saved_unix_s = 0;  // it has what was written until then
  std::uint64_t size_bytes = 0;   // of what was written since its parent
  std::uint64_t parent = 0;       // that it continues; 0 = the image, or the empty disk
  bool is_automatic = false;      // saved by a policy of its node
  NUCLEUS_FIELDS(number, name, saved_unix_s, size_bytes, parent, is_automatic);
};

/// What the image store has of a disk.
struct DiskContent {
  std::uint64_t generation = 0;                  // that the disk continues; 0 = as `parent`
  std::vector<DiskGeneration> generations = {};  // by number
  std::string ended_work_id = {};                // of the work on it that ended last
  std::string reason = {};                       // why that failed; empty = it is done
  NUCLEUS_FIELDS(generation, generations, ended_work_id, reason);
};

/// save: what was written becomes a generation. roll_back: it is discarded, and the disk continues
/// an earlier generation. remove: a generation is deleted; if another one continues it, that one
/// takes over what it saved.
NUCLEUS_ENUM(DiskWorkKind, save, roll_back, remove)

/// The work on a disk that is under way, or ended last. The node does not start meanwhile; if it
/// runs on the host that keeps its disk, it goes on while the disk is saved.
struct DiskWork {
  std::string work_id = {};  // empty = there was none
  DiskWorkKind kind = DiskWorkKind::unknown;
  std::uint64_t generation =
      0;                  // to roll back to, or to remove; of a save that is done: the new one
  std::string name = {};  // of the generation to save
  std::int64_t begun_unix_s = 0;
  std::int64_t ended_unix_s = 0;  // 0 = it is under way
  std::string reason = {};    // under way: why it does not get on; ended: why it failed, and the
                              // disk is as it was before
  bool is_automatic = false;  // begun by a policy of the node
  std::uint64_t first_generation = 0;  // of several to remove, each continued by the next one
                                       // alone; 0 = only `generation`
  NUCLEUS_FIELDS(work_id, kind, generation, name, begun_unix_s, ended_unix_s, reason, is_automatic,
                 first_generation);
};

constexpr bool is_under_way(const DiskWork& work) {
  return !work.work_id.empty() && work.ended_unix_s == 0;
}

/// The disk of a node.
struct NodeDisk {
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ImageId image_id = {};         // cloned from this image; empty = from none
  std::uint64_t disk_bytes = 0;  // 0 = the node has no disk, or it is not made yet
  HostId host_id = {};           // that keeps it; empty = it is in the image store, or not made yet
  std::uint64_t generation = 0;  // that it continues; 0 = the image, or the empty disk
  std::vector<DiskGeneration> generations = {};  // by number
  DiskWork work = {};
  bool is_changed = false;               // the node has run since `generation` was saved
  bool save_at_power_off = false;        // as the node is defined
  bool is_save_due = false;              // the node went off, and the save could not begin yet
  std::uint32_t save_every_minutes = 0;  // as the node is defined
  NUCLEUS_FIELDS(node_id, cluster_id, image_id, disk_bytes, host_id, generation, generations, work,
                 is_changed, save_at_power_off, is_save_due, save_every_minutes);
};

/// A node that the viewer does not see is `not_found`, like one that does not exist.
struct GetDisk {
  static constexpr std::string_view topic = "scheduler.get-disk";
  using Reply = NodeDisk;
  NodeRef node = {};
  Viewer viewer = {};
  NUCLEUS_FIELDS(node, viewer);
};

/// Begins work on the disk of a node that is off; the reply does not wait for its end. A power-on
/// meanwhile is accepted and waits. A disk that a host keeps is saved while its node runs, too.
/// `wrong_state`: the node is not off, other work is under way, or the generations do not allow it.
struct ChangeDisk {
  static constexpr std::string_view topic = "scheduler.change-disk";
  using Reply = NodeDisk;
  NodeRef node = {};
  Viewer viewer = {};
  DiskWorkKind kind = DiskWorkKind::unknown;
  std::uint64_t generation = 0;  // to roll back to, 0 = the image; or to remove
  std::string name = {};  // of the generation to save: a name that begins with a letter, of no
                          // other generation of this disk; empty = none
  NUCLEUS_FIELDS(node, viewer, kind, generation, name);
};

inline std::optional<Error> check(const ChangeDisk& request) {
  if (request.kind == DiskWorkKind::unknown)
    return invalid("kind", "kind must be save, roll_back or remove");
  if (request.kind != DiskWorkKind::save || request.name.empty()) return std::nullopt;
  if (auto broken = check_name("name", request.name)) return broken;
  // A number is a generation's number, not its name.
  if (request.name.front() >= '0' && request.name.front() <= '9')
    return invalid("name", "name must begin with a letter");
  return std::nullopt;
}

}  // namespace nucleus::msg
