#include "services/scheduler/batch_link.hpp"

#include "core/log/log.hpp"

namespace nucleus::scheduler {

namespace {

constexpr core::Milliseconds look_timeout{90'000};
constexpr core::Milliseconds expect_timeout{15'000};
constexpr core::Milliseconds actions_timeout{600'000};
constexpr std::size_t actions_max = 16;  // of one turn; the rest follows after the next look

core::Result<BatchSnapshot> look_at(BatchSystem& batch_system) {
  BatchSnapshot seen{.is_known = true};
  auto jobs = batch_system.list_jobs();
  if (!jobs) return std::unexpected(jobs.error());
  seen.jobs = std::move(*jobs);
  const auto nodes = batch_system.list_nodes();
  if (!nodes) return std::unexpected(nodes.error());
  for (const auto& node : *nodes) seen.nodes[node.host_id] = node;
  return seen;
}

core::Result<std::string> without_id(const core::Result<void>& result) {
  if (!result) return std::unexpected(result.error());
  return std::string{};
}

core::Result<std::string> run(BatchSystem& batch_system, const JobAction& action) {
  struct Run {
    BatchSystem& to;
    core::Result<std::string> operator()(const SubmitJob& one) { return to.submit(one.request); }
    core::Result<std::string> operator()(const CancelJob& one) {
      return without_id(to.cancel(one.job_id));
    }
    core::Result<std::string> operator()(const ChangeJobLimit& one) {
      return without_id(to.change_limit(one.job_id, one.limit_mins));
    }
    core::Result<std::string> operator()(const DrainBatchNode& one) {
      return without_id(to.drain(one.host_id, one.reason));
    }
    core::Result<std::string> operator()(const ResumeBatchNode& one) {
      return without_id(to.resume(one.host_id));
    }
  };
  return std::visit(Run{batch_system}, action);
}

}  // namespace

BatchLink::BatchLink(core::Runtime& runtime, const View& view, Ledger& ledger, Metrics& metrics,
                     std::shared_ptr<BatchSystem> batch_system, std::function<void()> want_pass)
    : loop_{runtime.loop},
      workers_{runtime.workers},
      bus_{runtime.bus},
      store_{runtime.store},
      view_{view},
      ledger_{ledger},
      metrics_{metrics},
      batch_system_{std::move(batch_system)},
      want_pass_{std::move(want_pass)} {}

void BatchLink::expect_start(JobRequest request, core::Responder<std::int64_t> respond) {
  workers_.run<std::int64_t>(
      loop_, expect_timeout,
      [batch_system = batch_system_, request = std::move(request)] {
        return batch_system->expected_start_unix_s(request);
      },
      std::move(respond));
}

void BatchLink::look(core::Context&) {
  if (is_busy_ || !store_.is_loaded()) return;
  is_busy_ = true;
  workers_.run<BatchSnapshot>(
      loop_, look_timeout, [batch_system = batch_system_] { return look_at(*batch_system); },
      [this](core::Result<BatchSnapshot> seen) { take(std::move(seen)); });
}

void BatchLink::take(core::Result<BatchSnapshot> seen) {
  is_busy_ = false;
  metrics_.batch_system_up.Set(seen ? 1 : 0);
  if (!seen) {
    if (snapshot_.fault.empty())
      core::log::error("batch_system_unavailable", {{"reason", seen.error().detail}});
    snapshot_.fault = seen.error().detail;
    want_pass_();
    return;
  }
  if (!snapshot_.fault.empty()) core::log::info("batch_system_available", {});
  snapshot_ = std::move(*seen);
  if (!store_.is_loaded()) return;
  const core::Context context = bus_.context();
  if (!ledger_.apply(plan_jobs(view_, snapshot_, context.now_unix_ms()), context)) return;
  want_pass_();
  // What is asked for must not follow from a commit that may still fail.
  is_busy_ = true;
  store_.when_durable([this](const core::Result<void>& durable) {
    is_busy_ = false;
    if (durable && store_.is_loaded()) act();
  });
}

void BatchLink::act() {
  auto actions = job_actions(view_, snapshot_);
  if (actions.empty()) return;
  if (actions.size() > actions_max) actions.resize(actions_max);
  is_busy_ = true;
  workers_.run<std::vector<Done>>(
      loop_, actions_timeout,
      [batch_system = batch_system_, actions = std::move(actions)] {
        std::vector<Done> done;
        for (const auto& action : actions) {
          done.push_back({action, run(*batch_system, action)});
          const auto& result = done.back().result;
          if (!result && result.error().code == core::ErrorCode::unavailable) break;
        }
        return core::Result<std::vector<Done>>{std::move(done)};
      },
      [this](core::Result<std::vector<Done>> done) {
        is_busy_ = false;
        if (done && store_.is_loaded()) take(*done);
      });
}

void BatchLink::take(const std::vector<Done>& done) {
  const core::Context context = bus_.context();
  for (const auto& [action, result] : done) {
    Plan plan;
    if (const auto* submit = std::get_if<SubmitJob>(&action))
      plan = plan_job_submitted(view_, submit->request, result, context.now_unix_ms());
    else if (const auto* change = std::get_if<ChangeJobLimit>(&action); change && result)
      plan = plan_job_limit_changed(view_, *change, context.now_unix_ms());
    else if (!result)
      core::log::warning("batch_request_failed", {{"reason", result.error().detail}});
    (void)ledger_.apply(std::move(plan), context);
  }
  want_pass_();
}

}  // namespace nucleus::scheduler
