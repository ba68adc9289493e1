// Runs over the links of clusters: accepted and stored, then carried out one at a time in each
// cluster. Runs on the service's loop.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "core/runtime/runtime.hpp"
#include "messages/overhead.hpp"
#include "services/overhead/config.hpp"
#include "services/overhead/metrics.hpp"
#include "services/overhead/selection.hpp"

namespace nucleus::overhead {

class LinkRuns {
 public:
  LinkRuns(core::Runtime& runtime, const Config& config, Metrics& metrics)
      : runtime_{runtime}, config_{config}, metrics_{metrics} {}

  core::Result<msg::Done> accept(const msg::MeasureLinks& request, core::Context& context);
  /// A computeset with two nodes or more has just started: its cluster's links are measured, once.
  /// A run that fails, because guests still boot, is repeated for `config.check_start`.
  core::Result<void> check_start(const msg::Computeset& computeset, core::Context& context);
  core::Result<msg::LinksReport> get(const msg::GetLinks& request) const;
  /// Removes what is kept of the cluster, and drops its run.
  void remove(core::Transaction& tx, const msg::ClusterId& cluster_id);

  /// The clusters whose accepted runs can begin now.
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
  Metrics& metrics_;
  std::map<msg::ClusterId, RunPtr> in_progress_ = {};
  std::map<msg::ClusterId, std::int64_t> not_before_ms_ = {};  // of runs that are repeated
};

}  // namespace nucleus::overhead
