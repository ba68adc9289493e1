#include "services/provisioner/reconciler.hpp"

#include <algorithm>
#include <map>

#include "core/log/log.hpp"
#include "services/provisioner/domain_plan.hpp"
#include "services/provisioner/driver/probes.hpp"
#include "services/provisioner/volume_plan.hpp"

namespace nucleus::provisioner {

namespace {

constexpr core::Milliseconds resume_timeout{3'600'000};  // its memory is read
constexpr core::Milliseconds ready_timeout{2'000};

}  // namespace

void Reconciler::list_domains() {
  if (is_listing_) return;
  is_listing_ = true;
  const std::uint64_t begun = parts_.domains.begin_list();
  workers_.steps.run<std::vector<DomainSeen>>(
      parts_.loop, core::Milliseconds{parts_.config.step_timeout_ms},
      [hypervisor = parts_.hypervisor] { return hypervisor->list(); },
      [this, begun](core::Result<std::vector<DomainSeen>> domains) {
        is_listing_ = false;
        if (domains) return take_list(std::move(*domains), begun);
        core::log::warning("domains_not_listed", {{"reason", domains.error().detail}});
      });
}

void Reconciler::take_list(std::vector<DomainSeen> domains, std::uint64_t begun) {
  parts_.domains.set_list(std::move(domains), begun);
  if (!parts_.store.is_loaded()) return;
  for (const auto& host_id : parts_.config.hosts)
    for (const auto& node_id : parts_.grants.nodes(host_id)) {
      const StoredGrant stored = *parts_.grants.find({host_id, node_id});
      const auto* seen = parts_.domains.find(stored.domain_uuid);
      if (seen && seen->epoch == stored.grant.epoch) record_running(stored);
    }
  destroy_ungranted();
  reconcile_all();
}

void Reconciler::observe(const DomainSeen& seen) {
  if (!parts_.domains.observe(seen) || !parts_.store.is_loaded()) return;
  const auto* found = parts_.grants.find_by_uuid(seen.uuid);
  if (!found) return destroy_ungranted();
  const StoredGrant stored = *found;
  if (stored.grant.epoch == seen.epoch && stored.phase != GrantPhase::ended) {
    if (is_present(seen.state)) {
      record_running(stored);
    } else {
      parts_.domains.keep_end(seen);
      // Its end may be observed before its start was recorded.
      if (stored.phase == GrantPhase::pending && stored.grant.is_on) record_running(stored);
    }
  }
  reconcile({stored.host_id, stored.grant.node_id});
}

void Reconciler::reconcile_all() {
  for (const auto& host_id : parts_.config.hosts)
    for (const auto& node_id : parts_.grants.nodes(host_id)) reconcile({host_id, node_id});
  parts_.metrics.domains.Set(static_cast<double>(parts_.domains.all().size()));
  parts_.metrics.grants.Set(static_cast<double>(parts_.grants.size()));
}

DomainView Reconciler::view_of(const StoredGrant& stored) {
  const Grants::Id id{stored.host_id, stored.grant.node_id};
  const auto& work = parts_.domains.work(id);
  DomainView view{.is_fenced = parts_.leases.is_fenced(stored.host_id),
                  .is_being_created = parts_.domains.is_being_created(id),
                  .is_shutdown_sent = work.is_shutdown_sent,
                  .has_adapters = !stored.grant.adapters.empty() &&
                                  stored.phase != GrantPhase::ended && !work.are_adapters_released,
                  .now_unix_ms = parts_.leases.head_unix_ms()};
  if (const auto* seen = parts_.domains.find(stored.domain_uuid)) view.epoch = seen->epoch;
  return view;
}

void Reconciler::reconcile(const Grants::Id& id) {
  const auto* found = parts_.grants.find(id);
  if (!found || !parts_.domains.is_listed() || !parts_.store.is_loaded()) return;
  if (!parts_.domains.work(id).may_begin(parts_.loop.steady_ms())) return;
  const StoredGrant stored = *found;
  // A domain created now would be hit by the stop under way.
  if (parts_.domains.is_stopping(stored.domain_uuid)) return;
  const Step step = plan_step(stored, view_of(stored));
  if (is_driver_step(step)) return begin_step(stored, step);
  if (step == Step::record_running) return record_running(stored);
  if (step == Step::record_end) return record_end(stored);
  if (step == Step::forget) return forget(stored);
}

core::Workers& Reconciler::workers_for(Step step) const {
  if (step == Step::destroy || step == Step::reset) return workers_.stops;
  if (step == Step::save || step == Step::resume) return workers_.saves;
  return step == Step::create ? workers_.steps : workers_.guests;
}

core::Milliseconds Reconciler::timeout_of(const StoredGrant& stored, Step step) const {
  const core::Milliseconds usual{parts_.config.step_timeout_ms};
  if (step == Step::resume) return resume_timeout;
  if (step != Step::save) return usual;
  const auto left_ms = stored.grant.stop_by_unix_ms - parts_.leases.head_unix_ms();
  return std::max(usual, core::Milliseconds{left_ms});
}

void Reconciler::begin_step(const StoredGrant& stored, Step step) {
  const bool creates = is_create(step);
  if (creates ? !parts_.watch.is_ready() : !parts_.watch.is_reachable()) return;
  const Grants::Id id{stored.host_id, stored.grant.node_id};
  parts_.domains.work(id).begin();
  StepJob job{.hypervisor = parts_.hypervisor,
              .stored = stored,
              .spec = {},
              .seed_path = {},
              .volumes = {},
              .volume = {},
              .addresses = {},
              .memory_path = memory_path(stored, parts_.config)};
  if (creates) {
    parts_.domains.work(id).are_adapters_released = false;
    job.disk_place = check_disk_place(stored.grant, parts_.config);
    job.spec = plan_domain(stored, parts_.config, parts_.watch.accelerator());
    if (parts_.config.driver.has_guests) job.seed_path = seed_path(stored.grant, parts_.config);
    if (parts_.volumes) {
      job.volumes = parts_.volumes;
      job.volume = plan_host_volume(stored.grant.volume, parts_.config);
    }
    if (parts_.addresses && served_port(stored.grant)) {
      job.addresses = parts_.addresses;
      job.address_service =
          plan_address_service(served_with(stored.grant), parts_.config.port_prefix);
    }
  }
  const Begun begun{.id = id,
                    .uuid = stored.domain_uuid,
                    .epoch = stored.grant.epoch,
                    .hibernation_id = stored.grant.hibernation_id,
                    .step = step,
                    .begun_ms = parts_.loop.steady_ms()};
  if (creates) parts_.domains.begin_create(id);
  workers_for(step).run<StepResult>(
      parts_.loop, timeout_of(stored, step),
      [this, &loop = parts_.loop, job = std::move(job), step, id] {
        auto done = run_step(job, step);
        if (is_create(step)) loop.post([this, id] { end_create(id); });
        return done;
      },
      [this, begun](const core::Result<StepResult>& result) { end_step(begun, result); });
}

/// The call has returned, perhaps after its timeout: only now may the domain count as off.
void Reconciler::end_create(const Grants::Id& id) {
  parts_.domains.end_create(id);
  reconcile(id);
}

void Reconciler::end_step(const Begun& begun, const core::Result<StepResult>& result) {
  auto& work = parts_.domains.work(begun.id);
  if (result)
    work.end_with_success();
  else
    work.end_with_failure(parts_.loop.steady_ms(), parts_.config.retry_ms_max);
  const auto* found = parts_.grants.find(begun.id);
  if (!found || !parts_.store.is_loaded()) return;
  const StoredGrant stored = *found;
  if (!result) return take_failure(begun, stored, result.error());
  take_success(begun, stored, *result);
  reconcile(begun.id);
}

void Reconciler::take_success(const Begun& begun, const StoredGrant& stored,
                              const StepResult& result) {
  const bool is_same_epoch = stored.grant.epoch == begun.epoch;
  if (is_create(begun.step)) {
    const double seconds = static_cast<double>(parts_.loop.steady_ms() - begun.begun_ms) / 1000;
    parts_.metrics.create_seconds.Observe(seconds);
    parts_.domains.add_created({.name = stored.domain_name,
                                .uuid = begun.uuid,
                                .state = DomainState::running,
                                .epoch = begun.epoch});
    parts_.on_created();
    if (is_same_epoch) record_running(stored);
  } else if (begun.step == Step::destroy) {
    parts_.domains.remove(begun.uuid);
  } else if (begun.step == Step::save || begun.step == Step::settle) {
    if (begun.step == Step::save) parts_.domains.remove(begun.uuid);
    // One that was not to be saved any more has ended all the same.
    if (is_same_epoch && stored.grant.hibernation_id == begun.hibernation_id)
      take_hibernation(stored, result);
  } else if (is_same_epoch && begun.step == Step::release) {
    parts_.domains.work(begun.id).are_adapters_released = true;
  } else if (is_same_epoch && begun.step == Step::shut_down) {
    parts_.domains.work(begun.id).is_shutdown_sent = true;
  } else if (is_same_epoch) {
    record_reboot(stored, begun.step);
  }
}

void Reconciler::take_hibernation(StoredGrant stored, const StepResult& result) {
  stored.hibernation = result.hibernation;
  stored.memory_bytes = result.memory_bytes;
  if (stored.grant.is_on) return record_running(stored);
  write(std::move(stored));
}

/// `unavailable` is not a failed start: what is missing, such as an image that is still copied, may
/// be there at the next attempt.
void Reconciler::take_failure(const Begun& begun, const StoredGrant& stored,
                              const core::Error& error) {
  parts_.metrics.steps_failed.Increment();
  core::log::warning("step_failed", {{"domain", stored.domain_name},
                                     {"step", msg::name_of(begun.step)},
                                     {"reason", error.detail}});
  // The next start sets them, or fails: the grant ends without.
  if (begun.step == Step::release && error.code != core::ErrorCode::unavailable)
    parts_.domains.work(begun.id).are_adapters_released = true;
  if (stored.grant.epoch != begun.epoch) return;
  const auto* seen = parts_.domains.find(begun.uuid);
  const bool is_present = seen && seen->epoch == begun.epoch;
  const bool is_preparing = error.code == core::ErrorCode::unavailable;
  if (begun.step == Step::save) return take_failed_save(begun, stored, error, is_present);
  // A domain that was observed meanwhile was created, whatever the driver says.
  if (!is_create(begun.step) || is_present) return;
  if (begun.step == Step::resume && !is_preparing) return fail_hibernation(stored, error.detail);
  parts_.reporter.report(
      stored, {.state = DomainState::absent,
               .reason = (is_preparing ? "waits: " : "cannot be started: ") + error.detail,
               .is_preparing = is_preparing});
}

/// A domain that has ended may be saved, whatever the driver says: the next attempt tells.
void Reconciler::take_failed_save(const Begun& begun, const StoredGrant& stored,
                                  const core::Error& error, bool is_present) {
  if (stored.grant.hibernation_id != begun.hibernation_id) return;
  const bool is_late = parts_.leases.head_unix_ms() >= stored.grant.stop_by_unix_ms;
  const bool is_over = is_present ? error.code != core::ErrorCode::unavailable
                                  : error.code == core::ErrorCode::not_found;
  if (is_over || is_late) fail_hibernation(stored, error.detail);
}

void Reconciler::fail_hibernation(StoredGrant stored, const std::string& reason) {
  core::log::warning("memory_not_kept", {{"domain", stored.domain_name},
                                         {"hibernation", stored.grant.hibernation_id},
                                         {"reason", reason}});
  stored.hibernation = msg::HibernationOutcome::failed;
  stored.hibernation_reason = reason;
  write(std::move(stored));
}

void Reconciler::record_running(const StoredGrant& stored) {
  if (stored.is_revoked || stored.phase == GrantPhase::ended) return;
  const auto* seen = parts_.domains.find(stored.domain_uuid);
  DomainReport report{.state = seen ? seen->state : DomainState::running,
                      .reason = seen ? seen->reason : ""};
  if (report.reason.empty() && stored.grant.is_on && !stored.hibernation_reason.empty())
    report.reason = "its memory could not be used: " + stored.hibernation_reason;
  parts_.reporter.report(advanced(stored, GrantPhase::running), std::move(report));
}

void Reconciler::record_end(const StoredGrant& stored) {
  DomainReport report{.state = DomainState::shutoff};
  const auto end = parts_.domains.take_end(stored.domain_uuid, stored.grant.epoch);
  if (stored.grant.is_on && !end) {
    // Also on a host whose lease ended meanwhile: nothing was there to be stopped.
    report.reason = "it ended while the provisioner was not watching";
    report.last_seen_unix_ms = parts_.leases.last_seen_unix_ms();
  } else if (parts_.leases.is_fenced(stored.host_id)) {
    report.reason = "its host had no answer from the scheduler for longer than its lease";
  } else if (stored.grant.is_on) {
    report.state = end->state;
    report.reason = end->reason;
  } else if (stored.hibernation == msg::HibernationOutcome::saved) {
    report.reason = "its memory is saved";
  } else if (stored.hibernation == msg::HibernationOutcome::failed) {
    report.reason = "its memory could not be saved: " + stored.hibernation_reason;
  }
  parts_.reporter.report(advanced(stored, GrantPhase::ended), std::move(report));
}

void Reconciler::record_reboot(StoredGrant stored, Step step) {
  ++(step == Step::reboot ? stored.reboots_done : stored.resets_done);
  write(std::move(stored));
}

void Reconciler::write(StoredGrant stored) {
  core::Context context = parts_.bus.context();
  auto tx = parts_.store.begin(context);
  parts_.grants.write(tx, std::move(stored));
  (void)tx.commit();
}

void Reconciler::forget(const StoredGrant& stored) {
  const Grants::Id id{stored.host_id, stored.grant.node_id};
  (void)parts_.domains.take_end(stored.domain_uuid, stored.grant.epoch);
  parts_.domains.forget_work(id);
  core::Context context = parts_.bus.context();
  auto tx = parts_.store.begin(context);
  parts_.grants.remove(tx, id);
  (void)tx.commit();
}

void Reconciler::stop(const DomainSeen& seen, bool is_fence) {
  if (!parts_.domains.begin_stop(seen.uuid)) return;
  workers_.stops.run<void>(
      parts_.loop, core::Milliseconds{parts_.config.step_timeout_ms},
      [hypervisor = parts_.hypervisor, name = seen.name] { return hypervisor->destroy(name); },
      [this, seen, is_fence](const core::Result<void>& gone) {
        parts_.domains.end_stop(seen.uuid);
        if (gone) return parts_.domains.remove(seen.uuid);
        if (is_fence)
          core::log::error("domain_not_fenced",
                           {{"domain", seen.name}, {"reason", gone.error().detail}});
        else
          core::log::warning(
              "step_failed",
              {{"domain", seen.name}, {"step", "destroy"}, {"reason", gone.error().detail}});
      });
}

void Reconciler::serve_volumes() {
  if (!parts_.volumes || is_serving_ || !parts_.store.is_loaded()) return;
  is_serving_ = true;
  const auto begun = parts_.volumes->begin_serve();
  std::vector<LocalVolumes::Needed> needed;
  std::vector<std::string> stopped;
  parts_.grants.for_each([&](const StoredGrant& stored) {
    auto volume = plan_host_volume(stored.grant.volume, parts_.config);
    if (!volume.disk || volume.disk->base_url.empty()) return;
    if (!check_disk_place(stored.grant, parts_.config)) return;
    if (!needs_host(stored)) return;
    const auto* seen = parts_.domains.find(stored.domain_uuid);
    if (seen && seen->state == DomainState::paused && seen->reason == disk_error)
      stopped.push_back(seen->name);
    needed.push_back({std::move(volume), seen != nullptr});
  });
  workers_.guests.run<void>(
      parts_.loop, core::Milliseconds{parts_.config.step_timeout_ms},
      [volumes = parts_.volumes, hypervisor = parts_.hypervisor, needed = std::move(needed),
       stopped = std::move(stopped), begun,
       is_complete = parts_.domains.is_listed()]() -> core::Result<void> {
        volumes->serve(needed, begun, is_complete);
        for (const auto& name : stopped) (void)hypervisor->resume(name);
        return {};
      },
      [this](const core::Result<void>&) { is_serving_ = false; });
}

void Reconciler::look_for_ready_guests() {
  if (!parts_.volumes || is_looking_for_ready_ || !parts_.store.is_loaded()) return;
  const auto booting = parts_.volumes->booting();
  std::map<msg::NodeId, std::string> domains;
  parts_.grants.for_each([&](const StoredGrant& stored) {
    if (booting.contains(stored.grant.node_id) && parts_.domains.find(stored.domain_uuid))
      domains[stored.grant.node_id] = stored.domain_name;
  });
  if (domains.empty()) return;
  is_looking_for_ready_ = true;
  workers_.guests.run<void>(
      parts_.loop, core::Milliseconds{parts_.config.step_timeout_ms},
      [volumes = parts_.volumes, hypervisor = parts_.hypervisor,
       domains = std::move(domains)]() -> core::Result<void> {
        for (const auto& [node_id, domain] : domains)
          if (run_node_probe(*hypervisor, domain, msg::Probe::ping, {}, ready_timeout))
            volumes->set_ready(node_id);
        return {};
      },
      [this](const core::Result<void>&) { is_looking_for_ready_ = false; });
}

/// Its domain runs, or is about to be created.
bool Reconciler::needs_host(const StoredGrant& stored) const {
  if (parts_.domains.find(stored.domain_uuid)) return true;
  return stored.grant.is_on && !stored.is_revoked && stored.phase != GrantPhase::ended;
}

/// The grants that are served together with this one.
std::vector<msg::Grant> Reconciler::served_with(const msg::Grant& grant) const {
  std::vector<msg::Grant> grants;
  parts_.grants.for_each([&](const StoredGrant& stored) {
    const auto* port = served_port(stored.grant);
    if (port && port->vlan == served_port(grant)->vlan && needs_host(stored))
      grants.push_back(stored.grant);
  });
  return grants;
}

void Reconciler::serve_addresses() {
  if (!parts_.addresses || is_serving_addresses_ || !parts_.store.is_loaded()) return;
  is_serving_addresses_ = true;
  std::map<std::uint32_t, std::vector<msg::Grant>> by_vlan;
  parts_.grants.for_each([&](const StoredGrant& stored) {
    const auto* port = served_port(stored.grant);
    if (port && needs_host(stored)) by_vlan[port->vlan].push_back(stored.grant);
  });
  const bool is_complete = parts_.domains.is_listed() && parts_.leases.may_destroy_ungranted();
  workers_.guests.run<bool>(
      parts_.loop, core::Milliseconds{parts_.config.step_timeout_ms},
      [addresses = parts_.addresses, by_vlan = std::move(by_vlan), is_complete,
       begun = parts_.addresses->begin_serve(),
       prefix = parts_.config.port_prefix]() -> core::Result<bool> {
        std::vector<AddressService> wanted;
        for (const auto& [vlan, grants] : by_vlan)
          if (auto service = plan_address_service(grants, prefix)) wanted.push_back(*service);
        return addresses->serve(wanted, begun, is_complete);
      },
      [this](const core::Result<bool>& has_changed) {
        is_serving_addresses_ = false;
        if (has_changed && *has_changed) parts_.on_created();  // the switch has other ports
      });
}

void Reconciler::destroy_ungranted() {
  if (!parts_.domains.is_listed() || !parts_.watch.is_reachable()) return;
  if (!parts_.leases.may_destroy_ungranted()) return;
  std::vector<DomainSeen> ungranted;
  for (const auto& [uuid, seen] : parts_.domains.all())
    if (!parts_.grants.find_by_uuid(uuid) && !parts_.domains.is_stopping(uuid))
      ungranted.push_back(seen);
  for (const auto& seen : ungranted) {
    core::log::warning("domain_without_grant", {{"domain", seen.name}, {"epoch", seen.epoch}});
    stop(seen, false);
  }
}

void Reconciler::fence(const msg::HostId& host_id) {
  std::vector<DomainSeen> running;
  for (const auto& [uuid, seen] : parts_.domains.all())
    if (is_domain_of(host_id, seen.name, parts_.config)) running.push_back(seen);
  for (const auto& seen : running) stop(seen, true);
}

}  // namespace nucleus::provisioner
