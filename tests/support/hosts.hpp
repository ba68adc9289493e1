// A simulated host for service tests: it accepts grants like a provisioner, and reports its domains
// and sends heartbeats on the test's request.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "messages/image_store.hpp"
#include "messages/network.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {

class Host {
 public:
  struct Size {
    std::uint32_t cpus = 4;
    std::uint64_t memory_mb = 8192;
  };

  Host(Deployment& deployment, const std::string& name) : Host(deployment, name, Size{}) {}
  Host(Deployment& deployment, const std::string& name, Size size)
      : name_{name},
        size_{size},
        stand_in_{deployment, "provisioner/" + name,
                  [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                    return std::make_shared<Room>(*this, runtime);
                  }} {}

  /// A heartbeat of a healthy host that has applied every grant.
  msg::ReportHost a_report() {
    const std::scoped_lock lock(mutex_);
    return {.host_id = {name_},
            .process = "provisioner/" + name_,
            .boot_id = "boot",
            .cpus = size_.cpus,
            .memory_mb = size_.memory_mb,
            .revision = revision_};
  }
  core::Result<msg::HostLease> report() { return report(a_report()); }
  core::Result<msg::HostLease> report(const msg::ReportHost& said) {
    auto whole = said;
    if (whole.cpus == 0 && whole.boot_id.empty()) whole.cpus = size_.cpus;
    return stand_in_.process().call(whole, {.deadline = wait_timeout});
  }

  /// Reports the state of a grant's domain, optionally in the name of another host.
  bool report_domain(const msg::Grant& grant, msg::DomainState state,
                     const std::string& reason = {}, const std::string& host = {}) {
    return report_changes({a_change(grant, state, reason, host)});
  }
  /// Reports that the domain ended while the provisioner was not running.
  bool report_unwatched_end(const msg::Grant& grant, std::int64_t last_seen_unix_ms) {
    auto change = a_change(grant, msg::DomainState::shutoff,
                           "it ended while the provisioner was not watching", {});
    change.last_seen_unix_ms = last_seen_unix_ms;
    return report_changes({change});
  }
  /// Sends the changes as the next ones of its log.
  bool report_changes(const std::vector<msg::DomainChanged>& changes) {
    const msg::ReportDomains all{.process = "provisioner/" + name_,
                                 .log_id = "log",
                                 .first_number = reported_ + 1,
                                 .changes = changes};
    reported_ += changes.size();
    const auto answer = send(all);
    return answer && answer->number == reported_;
  }
  core::Result<msg::DomainsReported> send(const msg::ReportDomains& report) {
    return stand_in_.process().call(report, {.deadline = wait_timeout});
  }
  msg::DomainChanged a_change(const msg::Grant& grant, msg::DomainState state,
                              const std::string& reason = {}, const std::string& host = {}) const {
    return {.host_id = {host.empty() ? name_ : host},
            .node_id = grant.node_id,
            .cluster_id = grant.cluster_id,
            .project_id = grant.project_id,
            .epoch = grant.epoch,
            .state = state,
            .reason = reason};
  }

  /// The newest grant of this node, if it has had one.
  std::optional<msg::Grant> grant_of(const std::string& node) {
    const std::scoped_lock lock(mutex_);
    const auto grant = grants_.find(node);
    return grant == grants_.end() ? std::nullopt : std::optional{grant->second};
  }
  /// Waits for a grant of this node with this epoch or a later one.
  std::optional<msg::Grant> wait_for_grant(const std::string& node, std::uint64_t epoch = 1) {
    return wait_for_grant(node, [epoch](const msg::Grant& grant) { return grant.epoch >= epoch; });
  }
  std::optional<msg::Grant> wait_for_grant(const std::string& node,
                                           const std::function<bool(const msg::Grant&)>& matches) {
    std::optional<msg::Grant> found;
    (void)eventually([&] {
      const std::scoped_lock lock(mutex_);
      const auto grant = grants_.find(node);
      if (grant != grants_.end() && matches(grant->second)) found = grant->second;
      return found.has_value();
    });
    return found;
  }
  std::optional<msg::ApplyGrants> last_complete() {
    const std::scoped_lock lock(mutex_);
    return complete_;
  }

 private:
  struct Room {
    Host& host;
    core::Store& store;
    Room(Host& owner, core::Runtime& runtime) : host{owner}, store{runtime.store} {
      runtime.bus.serve<msg::ApplyGrants>(*this, &Room::apply);
    }
    core::Result<msg::Done> apply(const msg::ApplyGrants& request, core::Context&) {
      const std::scoped_lock lock(host.mutex_);
      for (const auto& grant : request.grants) host.grants_[grant.node_id.value] = grant;
      host.revision_ = std::max(host.revision_, request.revision);
      if (request.is_complete) host.complete_ = request;
      return msg::Done{};
    }
  };

  const std::string name_;
  const Size size_;
  std::mutex mutex_ = {};
  std::map<std::string, msg::Grant> grants_ = {};  // by node
  std::uint64_t revision_ = 0;
  std::uint64_t reported_ = 0;  // number of the newest report
  std::optional<msg::ApplyGrants> complete_ = {};
  StandIn stand_in_;
};

}  // namespace nucleus::tests
