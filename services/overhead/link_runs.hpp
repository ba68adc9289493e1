// Runs over the links of clusters: accepted and stored, then carried out one at a time in each
// cluster. Runs on the service's loop.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "core/runtime/runtime.hpp"
#include "messages/overhead.hpp"
#include "services/overhead/config.hpp"
#include "services/overhead/selection.hpp"

namespace nucleus::overhead {

class LinkRuns {
 public:
  LinkRuns(core::Runtime& runtime, const Config& config) : runtime_{runtime}, config_{config} {}

  core::Result<msg::Done> accept(const msg::MeasureLinks& request, core::Context& context);
  core::Result<msg::LinksReport> get(const msg::GetLinks& request) const;
  /// Removes what is kept of the cluster, and drops its run.
  void remove(core::Transaction& tx, const msg::ClusterId& cluster_id);

  /// The clusters whose accepted runs have not begun.
  std::vector<msg::ClusterId> pending() const;
  bool is_in_progress(const msg::ClusterId& cluster_id) const {
    return in_progress_.contains(cluster_id);
  }
  void begin(const msg::ClusterId& cluster_id);
  /// After the records were loaded: accepted runs begin again.
  void drop_all() { in_progress_.clear(); }

 private:
  struct Run {
    msg::ClusterId cluster_id = {};
    msg::ProjectId project_id = {};
    Selection selection = {};
  };
  using RunPtr = std::shared_ptr<Run>;

  void run_on_nodes(const RunPtr& run);
  void finish(const RunPtr& run, core::Result<msg::LinksReport> result);

  core::Runtime& runtime_;
  const Config& config_;
  std::map<msg::ClusterId, RunPtr> in_progress_ = {};
};

}  // namespace nucleus::overhead
