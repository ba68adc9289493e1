// Domains: what is seen of them, and the steps that bring them to their grants.
#include <filesystem>

#include "core/log/log.hpp"
#include "services/provisioner/domain_plan.hpp"
#include "services/provisioner/driver/seed_drive.hpp"
#include "services/provisioner/keys.hpp"
#include "services/provisioner/service.hpp"
#include "services/provisioner/told_reason.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::int64_t retry_ms_first = 500;

bool is_there(DomainState state) {
  return state != DomainState::absent && state != DomainState::shutoff &&
         state != DomainState::crashed;
}

}  // namespace

void Service::list_domains() {
  if (is_listing_) return;
  is_listing_ = true;
  workers_.run<std::vector<DomainSeen>>(
      loop_, core::Milliseconds{config_.step_deadline_ms},
      [hypervisor = hypervisor_] { return hypervisor->list(); },
      [this](core::Result<std::vector<DomainSeen>> domains) {
        is_listing_ = false;
        if (domains) return take_list(std::move(*domains));
        core::log::warning("domains_not_listed", {{"reason", domains.error().detail}});
      });
}

void Service::take_list(std::vector<DomainSeen> domains) {
  seen_.clear();
  for (auto& domain : domains)
    if (domain.epoch > 0 && is_there(domain.state)) seen_[domain.name] = std::move(domain);
  is_listed_ = true;
  if (!store_.is_loaded()) return;
  for (const auto& host_id : config_.hosts) {
    std::vector<StoredGrant> running;
    store_.for_each<StoredGrant>(keys::grants(host_id), [&](const StoredGrant& stored) {
      const auto seen = seen_.find(stored.domain_name);
      if (seen != seen_.end() && seen->second.epoch == stored.grant.epoch)
        running.push_back(stored);
    });
    for (const auto& stored : running) record_running(stored);
  }
  end_orphans();
  core::Context context = bus_.context();
  look_at_all(context);
}

void Service::see(const DomainSeen& seen) {
  if (seen.epoch == 0) return;  // no domain of ours
  const auto known = seen_.find(seen.name);
  // A late word of an earlier run of this name says nothing of the present one.
  if (known != seen_.end() && known->second.epoch > seen.epoch) return;
  if (is_there(seen.state))
    seen_[seen.name] = seen;
  else if (known != seen_.end())
    seen_.erase(known);
  if (!store_.is_loaded()) return;
  const auto named = named_.find(seen.name);
  if (named == named_.end()) return end_orphans();
  const auto [host_id, node_id] = named->second;
  const auto* stored = store_.read(keys::grant(host_id, node_id));
  if (!stored) return;
  if (stored->grant.epoch == seen.epoch) {
    if (!is_there(seen.state)) {
      ends_[seen.name] = std::string(msg::name_of(seen.state)) + "\n" + seen.reason;
      // An end that comes before the start was recorded is an end all the same.
      if (!stored->has_run && stored->grant.is_on && !stored->is_ended) record_running(*stored);
    } else {
      record_running(*stored);
    }
  }
  look_at(host_id, node_id);
}

void Service::look_at_all(core::Context&) {
  for (const auto& host_id : config_.hosts) {
    std::vector<msg::NodeId> nodes;
    store_.for_each<StoredGrant>(keys::grants(host_id), [&](const StoredGrant& stored) {
      nodes.push_back(stored.grant.node_id);
    });
    for (const auto& node_id : nodes) look_at(host_id, node_id);
  }
  show_counts();
}

void Service::look_at(const msg::HostId& host_id, const msg::NodeId& node_id) {
  const auto* stored = store_.read(keys::grant(host_id, node_id));
  if (!stored || !is_listed_ || !store_.is_loaded()) return;
  Work& work = work_[{host_id, node_id}];
  if (work.is_busy || loop_.steady_ms() < work.not_before_ms) return;
  if (fencing_.contains(stored->domain_name)) return;  // what is begun now would be stopped by it
  std::optional<DomainSeen> seen;
  if (const auto there = seen_.find(stored->domain_name); there != seen_.end())
    seen = there->second;
  const Step step =
      next_step(*stored, seen, live_[host_id].is_fenced, work.is_asked, loop_.unix_ms());
  switch (step) {
    case Step::none:
      return;
    case Step::record:
      return record_running(*stored);
    case Step::end:
      return record_end(*stored);
    case Step::forget: {
      named_.erase(stored->domain_name);
      core::Context context = bus_.context();
      auto tx = store_.begin(context);
      tx.remove(keys::grant(host_id, node_id));
      (void)tx.commit();
      work_.erase({host_id, node_id});
      return;
    }
    case Step::create:
    case Step::destroy:
    case Step::shut_down:
    case Step::reboot:
    case Step::reset:
      if (is_reachable_) run_step(*stored, step);
  }
}

void Service::run_step(const StoredGrant& stored, Step step) {
  const auto host_id = stored.host_id;
  const auto node_id = stored.grant.node_id;
  work_[{host_id, node_id}].is_busy = true;
  const std::int64_t begun_ms = loop_.steady_ms();
  struct Nothing {};
  workers_.run<Nothing>(
      loop_, core::Milliseconds{config_.step_deadline_ms},
      [this, hypervisor = hypervisor_, stored, step]() -> core::Result<Nothing> {
        core::Result<void> done;
        const std::string& name = stored.domain_name;
        switch (step) {
          case Step::create:
            done = create(stored);
            break;
          case Step::destroy:
            done = hypervisor->destroy(name);
            break;
          case Step::shut_down:
            done = hypervisor->shut_down(name);
            break;
          case Step::reboot:
            done = hypervisor->reboot(name);
            break;
          case Step::reset:
            done = hypervisor->reset(name);
            break;
          case Step::none:
          case Step::record:
          case Step::end:
          case Step::forget:
            break;
        }
        if (!done) return std::unexpected(done.error());
        return Nothing{};
      },
      [this, host_id, node_id, step, begun_ms](core::Result<Nothing> result) {
        if (result && step == Step::create)
          metrics_.create_seconds.Observe(static_cast<double>(loop_.steady_ms() - begun_ms) / 1000);
        end_step(host_id, node_id, step,
                 result ? core::Result<void>{} : std::unexpected(result.error()));
      });
}

/// On a worker: reads only what never changes.
core::Result<void> Service::create(const StoredGrant& stored) const {
  if (!config_.is_simulated) {
    const auto files = plan_seed(stored.grant);
    if (!files) return std::unexpected(files.error());
    auto seed = write_seed_drive(seed_path(stored.grant, config_), *files);
    if (!seed) return seed;
  }
  return hypervisor_->create(plan_domain(stored, config_));
}

void Service::end_step(const msg::HostId& host_id, const msg::NodeId& node_id, Step step,
                       core::Result<void> result) {
  Work& work = work_[{host_id, node_id}];
  work.is_busy = false;
  const auto* stored = store_.read(keys::grant(host_id, node_id));
  if (!stored || !store_.is_loaded()) return;
  if (!result) {
    metrics_.steps_failed.Increment();
    work.retry_ms =
        std::min(work.retry_ms == 0 ? retry_ms_first : work.retry_ms * 2, config_.retry_ms_max);
    work.not_before_ms = loop_.steady_ms() + work.retry_ms;
    core::log::warning("step_failed",
                       {{"domain", stored->domain_name}, {"reason", result.error().detail}});
    // A domain that was seen to run meanwhile was created, whatever the driver says.
    const auto seen = seen_.find(stored->domain_name);
    const bool is_running = seen != seen_.end() && seen->second.epoch == stored->grant.epoch;
    if (step == Step::create && !is_running)
      tell(*stored, msg::DomainState::absent,
           "cannot be started: " + without_paths(result.error().detail));
    return;
  }
  work.retry_ms = 0;
  const StoredGrant before = *stored;
  switch (step) {
    case Step::create:
      seen_[before.domain_name] = {.name = before.domain_name,
                                   .uuid = {},
                                   .state = DomainState::running,
                                   .epoch = before.grant.epoch};
      record_running(before);
      break;
    case Step::destroy:
      seen_.erase(before.domain_name);
      break;
    case Step::shut_down:
      work.is_asked = true;
      break;
    case Step::reboot:
    case Step::reset:
      record_done(before, step);
      break;
    case Step::none:
    case Step::record:
    case Step::end:
    case Step::forget:
      break;
  }
  look_at(host_id, node_id);
}

void Service::record_running(const StoredGrant& before) {
  if (before.is_void || before.is_ended) return;
  const auto seen = seen_.find(before.domain_name);
  const bool is_seen = seen != seen_.end();
  StoredGrant stored = before;
  stored.has_run = true;
  tell(std::move(stored), is_seen ? seen->second.state : msg::DomainState::running,
       is_seen ? without_paths(seen->second.reason) : "");
}

void Service::record_done(const StoredGrant& before, Step step) {
  core::Context context = bus_.context();
  auto tx = store_.begin(context);
  StoredGrant stored = before;
  ++(step == Step::reboot ? stored.reboots_done : stored.resets_done);
  tx.write(keys::grant(before.host_id, before.grant.node_id), std::move(stored));
  (void)tx.commit();
}

/// The domain is gone for good: told once, with why.
void Service::record_end(const StoredGrant& before) {
  StoredGrant stored = before;
  stored.is_ended = true;
  auto state = msg::DomainState::shutoff;
  std::string reason;
  std::int64_t seen_unix_ms = 0;
  if (live_[before.host_id].is_fenced) {
    reason = "its host had no answer from the scheduler for longer than its lease";
  } else if (before.grant.is_on) {
    reason = "it ended while nobody watched";
    seen_unix_ms = watched_unix_ms_;
    if (const auto why = ends_.find(before.domain_name); why != ends_.end()) {
      const auto line = why->second.find('\n');
      if (why->second.substr(0, line) == "crashed") state = msg::DomainState::crashed;
      reason = without_paths(why->second.substr(line + 1));
      seen_unix_ms = 0;
    }
  }
  ends_.erase(before.domain_name);
  tell(std::move(stored), state, reason, seen_unix_ms);
}

/// Records the grant as it is given, and tells its state where that is another.
void Service::tell(StoredGrant stored, msg::DomainState state, const std::string& reason,
                   std::int64_t seen_unix_ms) {
  core::Context context = bus_.context();
  auto tx = store_.begin(context);
  const bool is_news = stored.told != state || stored.told_reason != reason;
  stored.told = state;
  stored.told_reason = reason;
  const auto key = keys::grant(stored.host_id, stored.grant.node_id);
  const auto* known = store_.read(key);
  const bool is_changed =
      !known || known->has_run != stored.has_run || known->is_ended != stored.is_ended;
  if (!is_news && !is_changed) return;
  if (is_news)
    tx.emit(msg::DomainChanged{.host_id = stored.host_id,
                               .node_id = stored.grant.node_id,
                               .cluster_id = stored.grant.cluster_id,
                               .project_id = stored.grant.project_id,
                               .epoch = stored.grant.epoch,
                               .state = state,
                               .reason = reason,
                               .seen_unix_ms = seen_unix_ms});
  core::log::info("domain_changed", {{"domain", stored.domain_name},
                                     {"epoch", stored.grant.epoch},
                                     {"state", msg::name_of(state)},
                                     {"reason", reason}});
  tx.write(key, std::move(stored));
  (void)tx.commit();
}

/// A domain of ours that no grant names: ended, but only once every host was told the complete
/// list.
void Service::end_orphans() {
  if (!is_listed_ || !is_reachable_) return;
  for (const auto& [host_id, live] : live_)
    if (!live.is_complete || live.lease.is_doubted) return;
  for (const auto& [name, seen] : seen_) {
    if (named_.contains(name)) continue;
    core::log::warning("domain_orphaned", {{"domain", name}, {"epoch", seen.epoch}});
    struct Nothing {};
    workers_.run<Nothing>(
        loop_, core::Milliseconds{config_.step_deadline_ms},
        [hypervisor = hypervisor_, name]() -> core::Result<Nothing> {
          if (auto gone = hypervisor->destroy(name); !gone) return std::unexpected(gone.error());
          return Nothing{};
        },
        [this, name](core::Result<Nothing> gone) {
          if (!gone)
            core::log::warning("step_failed", {{"domain", name}, {"reason", gone.error().detail}});
        });
  }
}

void Service::show_counts() {
  metrics_.domains.Set(static_cast<double>(seen_.size()));
  metrics_.grants.Set(static_cast<double>(named_.size()));
}

}  // namespace nucleus::provisioner
