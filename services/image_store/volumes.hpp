// Reconciles the volumes with the nodes' definitions: makes those that wait, deletes those of
// removed nodes. One step of a volume at a time, on a worker; everything else runs on the loop.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "core/runtime/runtime.hpp"
#include "services/image_store/driver/store_driver.hpp"
#include "services/image_store/metrics.hpp"
#include "services/image_store/view.hpp"

namespace nucleus::image_store {

class Volumes {
 public:
  Volumes(core::Runtime& runtime, const Config& config, std::shared_ptr<StoreDriver> driver,
          View& view, Metrics& metrics);

  core::Result<void> handle_node_defined(const msg::NodeDefined& event, core::Context& context);
  core::Result<void> handle_node_removed(const msg::NodeRemoved& event, core::Context& context);
  core::Result<void> handle_cluster_removed(const msg::ClusterRemoved& event,
                                            core::Context& context);
  core::Result<msg::NodeVolumes> list_volumes(const msg::ListVolumes& request,
                                              core::Context& context);
  // disk_work.cpp
  core::Result<msg::Done> work_on_disk(const msg::WorkOnDisk& request, core::Context& context);
  void reconcile_all(core::Context& context);

  /// Tries all volumes again, including those whose retry is not due yet.
  void retry_now() { retry_at_ms_.clear(); }
  /// Call when the records were loaded: results of earlier steps are ignored.
  void restart();

 private:
  core::Result<void> remove(const std::vector<msg::NodeId>& node_ids, core::Context& context);
  void give_missing_tickets(core::Context& context);
  void reconcile(const msg::NodeId& node_id);
  void make(const StoredVolume& stored);
  void resolve_tag(const StoredVolume& stored);
  void end_clone(const msg::NodeId& node_id, const core::Result<msg::Volume>& made);
  void delete_file(const msg::NodeId& node_id);
  void retry_later(const msg::NodeId& node_id);
  // disk_work.cpp
  void work_on(const msg::NodeId& node_id);
  void end_work(const msg::NodeId& node_id, const std::string& work_id,
                const core::Result<FileDigest>& done);
  core::Result<void> check_no_image_of(const msg::WorkOnDisk& request) const;

  core::Loop& loop_;
  core::Workers& workers_;
  core::Bus& bus_;
  core::Store& store_;
  const Config& config_;
  std::shared_ptr<StoreDriver> driver_;
  View& view_;
  Metrics& metrics_;
  std::set<msg::NodeId> busy_ = {};                       // a step is under way
  std::map<msg::NodeId, std::int64_t> retry_at_ms_ = {};  // steady clock: no step begins earlier
  std::uint64_t generation_ = 0;                          // grows with each load
  bool must_check_tickets_ = false;                       // the records were loaded
};

}  // namespace nucleus::image_store
