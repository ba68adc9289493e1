// Work on the disks of nodes: the image store saves them and rolls them back, and no node starts
// meanwhile. A node must be off for it, or, to be saved, run on the host that keeps its disk.
#pragma once

#include "core/result.hpp"
#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// The node's disk as its admin sees it.
msg::NodeDisk disk_of(const StoredNode& node);

/// The node runs on the host that keeps its disk, which can be saved meanwhile.
bool runs_on_kept_disk(const StoredNode& node);

/// The disk continues the only generation that continues this one, and a host has the disk: it
/// would be discarded there if that generation took over another one.
bool is_continued_on_host(const StoredNode& node, std::uint64_t number);

/// Why one more cannot be saved.
std::string too_many_generations(const StoredNode& node);

/// Records the work under `work_id`. `wrong_state` unless the node and its disk are as the work
/// needs them.
core::Result<Plan> plan_disk_work(const View& view, const msg::ChangeDisk& request,
                                  const std::string& work_id, std::int64_t now_unix_ms);

/// A save of a disk that a host keeps.
struct HostSave {
  msg::NodeId node_id = {};
  msg::HostId host_id = {};
  std::string process = {};  // of the host; empty = it was removed
  std::string work_id = {};
  std::string name = {};  // of the generation
  bool is_automatic = false;
  std::string content_id = {};  // that the layer was published as; empty = not yet
};
std::vector<HostSave> host_saves(const View& view);

/// Shows why a save does not get on; empty = it does.
Plan plan_disk_work_reason(const View& view, const HostSave& save, const std::string& reason,
                           std::int64_t now_unix_ms);

/// The requests for the work that is under way, except what is done with a host.
std::vector<msg::WorkOnDisk> disk_works(const View& view);

/// The work has ended; with a reason, it was refused, and the disk stays as it is. Any host may
/// continue a disk that was saved, unless its host has something that was written since.
Plan plan_disk_work_ended(const View& view, const msg::WorkOnDisk& work, const std::string& reason,
                          std::int64_t now_unix_ms, bool is_continued = false);

/// Takes what the image store has of the disk, which ends work that no host has a part in.
void take_content(StoredNode& node, const msg::DiskContent& disk, std::int64_t now_unix_s);

}  // namespace nucleus::scheduler
