// Looks at the batch system in turn, applies what follows, and asks it for what is wanted. One look
// or one list of requests is under way at a time, on a worker.
#pragma once

#include <memory>
#include <variant>

#include "core/runtime/runtime.hpp"
#include "services/scheduler/driver/batch_system.hpp"
#include "services/scheduler/ledger.hpp"
#include "services/scheduler/metrics.hpp"
#include "services/scheduler/plan/jobs.hpp"

namespace nucleus::scheduler {

class BatchLink {
 public:
  BatchLink(core::Runtime& runtime, const View& view, Ledger& ledger, Metrics& metrics,
            std::shared_ptr<BatchSystem> batch_system, std::function<void()> want_pass);

  const BatchSnapshot& snapshot() const { return snapshot_; }

  /// Asks when such a job would start. Nothing is submitted.
  void expect_start(JobRequest request, core::Responder<std::int64_t> respond);

  /// Begins a look, unless one is under way or a request is.
  void look(core::Context& context);

 private:
  struct Done {
    JobAction action = {};
    core::Result<std::string> result = {};  // a job's id, if one was submitted
  };

  void take(core::Result<BatchSnapshot> seen);
  void act();
  void take(const std::vector<Done>& done);

  core::Loop& loop_;
  core::Workers& workers_;
  core::Bus& bus_;
  core::Store& store_;
  const View& view_;
  Ledger& ledger_;
  Metrics& metrics_;
  std::shared_ptr<BatchSystem> batch_system_;  // a call that runs late keeps it
  std::function<void()> want_pass_;
  BatchSnapshot snapshot_ = {};
  bool is_busy_ = false;
};

}  // namespace nucleus::scheduler
