#include "services/provisioner/isolation.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>

#include "core/log/log.hpp"
#include "services/provisioner/domain_plan.hpp"
#include "services/provisioner/driver/service_port.hpp"
#include "services/provisioner/public_text.hpp"

namespace nucleus::provisioner {

using msg::IsolationState;

namespace {

constexpr std::size_t asking_max = 16;
constexpr std::int64_t quiet_ms = 8'000;

std::string shortened(std::string text) {
  text = without_paths(text);
  std::ranges::replace(text, '\n', ' ');
  return text.substr(0, msg::isolation_reason_bytes_max);
}

std::string shown(const msg::IsolationFault& fault) {
  return fault.port.empty() ? fault.reason : "port " + fault.port + ": " + fault.reason;
}

/// Of the first 32 bits of an id.
std::uint32_t random_number(std::string_view id) {
  std::uint32_t number = 0;
  std::from_chars(id.data(), id.data() + std::min<std::size_t>(id.size(), 8), number, 16);
  return number;
}

void log_changes(const std::vector<msg::IsolationFault>& before,
                 const std::vector<msg::IsolationFault>& after) {
  for (const auto& fault : after)
    if (std::ranges::find(before, fault) == before.end())
      core::log::error("isolation_broken", {{"port", fault.port},
                                            {"cluster", fault.cluster_id.value},
                                            {"is_quarantined", fault.is_quarantined},
                                            {"reason", fault.reason}});
  for (const auto& fault : before)
    if (std::ranges::find(after, fault) == after.end())
      core::log::info("isolation_restored",
                      {{"port", fault.port}, {"cluster", fault.cluster_id.value}});
}

}  // namespace

std::vector<msg::IsolationFault> faults_of(const std::vector<PortFault>& faults,
                                           const PortOwners& owners) {
  std::vector<msg::IsolationFault> found;
  for (const auto& fault : faults) {
    msg::IsolationFault own{.port = fault.port,
                            .reason = shortened(fault.reason),
                            .is_quarantined = fault.is_quarantined};
    std::set<msg::ClusterId> others;
    if (const auto owner = owners.by_device.find(fault.port); owner != owners.by_device.end()) {
      own.node_id = owner->second.node_id;
      own.cluster_id = owner->second.cluster_id;
    }
    if (const auto invaded = owners.by_vlan.find(fault.vlan); invaded != owners.by_vlan.end())
      others.insert(invaded->second);
    else if (own.cluster_id.empty())
      for (const auto& [device, owner] : owners.by_device) others.insert(owner.cluster_id);
    if (!own.cluster_id.empty() || others.empty()) found.push_back(own);
    others.erase(own.cluster_id);
    const bool is_of_another = !own.cluster_id.empty();
    own.node_id = {};
    if (is_of_another) own.reason = "a port of another cluster was in its VLAN";
    for (const auto& cluster_id : others) {
      own.cluster_id = cluster_id;
      found.push_back(own);
    }
  }
  return found;
}

msg::HostIsolation isolation_of(const LastCheck& last, std::int64_t now_ms) {
  msg::HostIsolation isolation{.state = IsolationState::unchecked};
  if (!last.check) {
    isolation.reason = last.failure.empty() ? "not checked since the start of the provisioner"
                                            : shortened(last.failure);
    return isolation;
  }
  const auto checked_ms = std::min(last.begun_ms, last.check->oldest_probe_ms);
  isolation.checked_age_ms = std::max<std::int64_t>(now_ms - checked_ms, 0);
  isolation.port_count = last.check->port_count;
  isolation.fault_count = static_cast<std::uint32_t>(last.faults.size());
  isolation.faults = last.faults;
  if (isolation.faults.size() > msg::isolation_faults_max)
    isolation.faults.resize(msg::isolation_faults_max);
  if (!last.faults.empty()) {
    isolation.state = IsolationState::broken;
    isolation.reason = shortened(shown(last.faults.front()));
  } else if (isolation.checked_age_ms > msg::isolation_age_ms_max) {
    const auto& why = last.failure.empty() ? last.check->not_probed : last.failure;
    isolation.reason = shortened("no complete check for over 60 s: " + why);
  } else {
    isolation.state = IsolationState::verified;
  }
  return isolation;
}

bool is_check_due(const LastCheck& last, const SwitchGuard::Job& next) {
  return !last.failure.empty() || !last.check || !last.check->is_settled ||
         next.ports != last.ports || next.now_ms - last.begun_ms >= quiet_ms;
}

void Isolation::check_if_due() {
  if (!sources_.guard || !sources_.is_loaded() || is_checking_) return;
  const auto* watch = sources_.guard->watch();
  const bool is_unchanged =
      watch != nullptr && watch->is_watching() && watch->changes() == changes_before_;
  PortOwners owners;
  if (!is_unchanged || is_check_due(last_, plan_job(owners))) check();
}

SwitchGuard::Job Isolation::plan_job(PortOwners& owners) const {
  SwitchGuard::Job job{.is_complete = sources_.leases.may_destroy_ungranted(),
                       .must_probe_all = !answering_.empty(),
                       .now_ms = sources_.loop.steady_ms(),
                       .random = random_number(sources_.loop.new_id())};
  sources_.grants.for_each([&](const StoredGrant& stored) {
    const auto& grant = stored.grant;
    auto ports = plan_domain(stored, sources_.config, sources_.watch.accelerator()).ports;
    for (const auto& port : ports) {
      owners.by_device[port.device] = {.node_id = grant.node_id, .cluster_id = grant.cluster_id};
      if (port.guarded_ip.empty()) owners.by_vlan[port.vlan] = grant.cluster_id;
      if (!port.name_server.empty())
        owners.by_device[service_device(sources_.config.port_prefix + "-", port.vlan)] = {
            .cluster_id = grant.cluster_id};
    }
    std::ranges::move(ports, std::back_inserter(job.ports));
  });
  return job;
}

void Isolation::check() {
  if (!sources_.guard || !sources_.is_loaded()) return;
  must_check_again_ = true;
  if (is_checking_) return;
  is_checking_ = true;
  must_check_again_ = false;
  answering_ = std::exchange(asking_, {});
  if (const auto* watch = sources_.guard->watch()) changes_before_ = watch->changes();
  PortOwners owners;
  auto job = plan_job(owners);
  sources_.workers.submit([self = self_, &loop = sources_.loop, guard = sources_.guard,
                           job = std::move(job), owners = std::move(owners)] {
    auto checked = guard->check(job);
    loop.post([self, job, owners, checked = std::move(checked)] {
      if (*self) (*self)->end(job, owners, checked);
    });
  });
}

void Isolation::check_all(core::Responder<msg::HostIsolation> respond) {
  if (!sources_.guard) return respond(report());
  if (!sources_.is_loaded() || asking_.size() >= asking_max)
    return respond(core::refuse(core::ErrorCode::unavailable, "the host cannot check now"));
  asking_.push_back(std::move(respond));
  check();
}

void Isolation::end(const SwitchGuard::Job& job, const PortOwners& owners,
                    const core::Result<SwitchCheck>& checked) {
  is_checking_ = false;
  const bool was_failing = !last_.failure.empty();
  last_.failure = checked ? "" : checked.error().detail;
  if (!checked && !was_failing)
    core::log::warning("ports_not_guarded", {{"reason", checked.error().detail}});
  if (checked && checked->is_complete) {
    auto faults = faults_of(checked->faults, owners);
    const bool is_news = !last_.check || faults != last_.faults;
    log_changes(last_.faults, faults);
    if (!checked->not_probed.empty() && (!last_.check || last_.check->not_probed.empty()))
      core::log::warning("ports_not_probed", {{"reason", checked->not_probed}});
    last_.faults = std::move(faults);
    last_.check = *checked;
    last_.begun_ms = job.now_ms;
    last_.ports = job.ports;
    const auto checked_unix_ms =
        sources_.loop.unix_ms() - isolation_of(last_, sources_.loop.steady_ms()).checked_age_ms;
    sources_.metrics.isolation_checked.Set(static_cast<double>(checked_unix_ms) / 1000);
    sources_.metrics.isolation_broken.Set(static_cast<double>(last_.faults.size()));
    if (is_news) sources_.on_change();
  }
  for (const auto& respond : std::exchange(answering_, {})) {
    if (checked)
      respond(report());
    else
      respond(std::unexpected(checked.error()));
  }
  if (must_check_again_) check();
}

msg::HostIsolation Isolation::report() const {
  if (!sources_.config.driver.has_guests) return {.state = IsolationState::simulated};
  if (!sources_.guard) return {};
  return isolation_of(last_, sources_.loop.steady_ms());
}

}  // namespace nucleus::provisioner
