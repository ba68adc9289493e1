#include "services/provisioner/grants.hpp"

#include <algorithm>
#include <set>

#include "core/assert.hpp"
#include "services/provisioner/domain_plan.hpp"
#include "services/provisioner/keys.hpp"

namespace nucleus::provisioner {

namespace {

bool is_newer(const msg::Grant& grant, const StoredGrant* known) {
  if (!known) return true;
  if (grant.epoch != known->grant.epoch) return grant.epoch > known->grant.epoch;
  return grant.revision >= known->grant.revision;
}

/// A node that runs keeps the address mode that it was started with.
void keep_address_mode(msg::Grant& grant, const msg::Grant& known) {
  for (auto& port : grant.ports) {
    const auto before = std::ranges::find(known.ports, port.mac, &msg::Port::mac);
    if (before != known.ports.end()) port.name_server = before->name_server;
  }
}

void plan_grant(const GrantsView& view, const msg::HostId& host_id, const msg::Grant& grant,
                const Config& config, GrantsPlan& plan) {
  const auto found = view.known.find(grant.node_id);
  const StoredGrant* known = found == view.known.end() ? nullptr : found->second.stored;
  if (!is_newer(grant, known)) return;
  const bool is_same_epoch = known && known->grant.epoch == grant.epoch;
  StoredGrant stored = is_same_epoch ? *known : StoredGrant{.host_id = host_id};
  stored.is_revoked = false;
  if (stored.grant.hibernation_id != grant.hibernation_id) {
    stored.hibernation = stored.reported_hibernation = msg::HibernationOutcome::unknown;
    stored.hibernation_reason.clear();
    stored.memory_bytes = 0;
  }
  stored.grant = grant;
  if (is_same_epoch) keep_address_mode(stored.grant, known->grant);
  if (!is_same_epoch) {
    // A domain of the previous epoch that still runs is destroyed under the name it has.
    const bool is_name_kept = known && found->second.is_domain_present;
    stored.domain_name = is_name_kept ? known->domain_name : domain_name(host_id, grant, config);
    stored.domain_uuid = uuid_of_domain(host_id, grant.node_id, config);
    plan.new_epochs.push_back(grant.node_id);
  }
  plan.writes.push_back(std::move(stored));
}

}  // namespace

GrantsPlan plan_grants(const GrantsView& view, const msg::ApplyGrants& request,
                       const Config& config) {
  // A list that was overtaken may name grants that have ended and were forgotten since.
  if (request.revision < view.applied_revision ||
      (request.revision == view.applied_revision && !request.is_complete))
    return {.is_outdated = true};
  GrantsPlan plan;
  std::set<msg::NodeId> named;
  for (const auto& grant : request.grants)
    if (named.insert(grant.node_id).second) plan_grant(view, request.host_id, grant, config, plan);
  // A scheduler that has lost records names too few grants: it revokes none.
  const bool may_revoke = view.is_scheduler_trusted && request.revision >= view.lease_revision;
  if (request.is_complete && may_revoke) {
    for (const auto& [node_id, known] : view.known) {
      if (named.contains(node_id) || known.stored->grant.revision > request.revision) continue;
      StoredGrant revoked = *known.stored;
      revoked.is_revoked = true;
      plan.writes.push_back(std::move(revoked));
    }
    // A list for another boot was made before this process could report what it has.
    plan.is_complete = request.boot_id == view.boot_id;
  }
  if (request.revision > view.applied_revision &&
      (request.is_complete || request.revision == view.applied_revision + 1))
    plan.revision = request.revision;
  return plan;
}

void Grants::rebuild() {
  by_uuid_.clear();
  for_each([this](const StoredGrant& stored) {
    by_uuid_[stored.domain_uuid] = {stored.host_id, stored.grant.node_id};
  });
}

void Grants::for_each(const std::function<void(const StoredGrant&)>& visit) const {
  for (const auto& host_id : config_.hosts)
    store_.for_each<StoredGrant>(keys::grants(host_id), visit);
}

const StoredGrant* Grants::find(const Id& id) const {
  return store_.read(keys::grant(id.first, id.second));
}

const StoredGrant* Grants::find_by_uuid(const std::string& uuid) const {
  const auto found = by_uuid_.find(uuid);
  return found == by_uuid_.end() ? nullptr : find(found->second);
}

std::vector<msg::NodeId> Grants::nodes(const msg::HostId& host_id) const {
  std::vector<msg::NodeId> all;
  store_.for_each<StoredGrant>(keys::grants(host_id), [&](const StoredGrant& stored) {
    all.push_back(stored.grant.node_id);
  });
  return all;
}

std::uint64_t Grants::applied_revision(const msg::HostId& host_id) const {
  const auto* host = store_.read(keys::host(host_id));
  return host ? host->revision : 0;
}

GrantsView Grants::view(const msg::ApplyGrants& request) const {
  GrantsView view{.applied_revision = applied_revision(request.host_id)};
  if (request.is_complete)
    store_.for_each<StoredGrant>(keys::grants(request.host_id), [&](const StoredGrant& stored) {
      view.known[stored.grant.node_id].stored = &stored;
    });
  else
    for (const auto& grant : request.grants)
      if (const auto* stored = find({request.host_id, grant.node_id}))
        view.known[grant.node_id].stored = stored;
  return view;
}

void Grants::apply(core::Transaction& tx, const msg::HostId& host_id, const GrantsPlan& plan) {
  for (const auto& stored : plan.writes) write(tx, stored);
  if (plan.revision) tx.write(keys::host(host_id), StoredHost{host_id, *plan.revision});
}

void Grants::write(core::Transaction& tx, StoredGrant stored) {
  const Id id{stored.host_id, stored.grant.node_id};
  by_uuid_[stored.domain_uuid] = id;
  tx.write(keys::grant(id.first, id.second), std::move(stored));
}

void Grants::remove(core::Transaction& tx, const Id& id) {
  if (const auto* stored = find(id)) by_uuid_.erase(stored->domain_uuid);
  tx.remove(keys::grant(id.first, id.second));
}

void Grants::check() const {
  std::size_t count = 0;
  for_each([&](const StoredGrant& stored) {
    const auto found = by_uuid_.find(stored.domain_uuid);
    NUCLEUS_ASSERT(found != by_uuid_.end());
    NUCLEUS_ASSERT(found->second == Id(stored.host_id, stored.grant.node_id));
    NUCLEUS_ASSERT(stored.phase != GrantPhase::unknown);
    ++count;
  });
  NUCLEUS_ASSERT(count == by_uuid_.size());
}

}  // namespace nucleus::provisioner
