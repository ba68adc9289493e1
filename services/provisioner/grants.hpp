// The grants of this process's hosts: their records, an index by the uuid of their domain, and the
// rules by which a list from the scheduler is applied. Runs on the service's loop.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/state/store.hpp"
#include "services/provisioner/config.hpp"
#include "services/provisioner/records.hpp"

namespace nucleus::provisioner {

/// What plan_grants() reads.
struct GrantsView {
  struct Known {
    const StoredGrant* stored = nullptr;
    bool is_domain_present = false;
  };
  std::map<msg::NodeId, Known> known = {};  // all of the host, or for a partial list those it names
  std::uint64_t applied_revision = 0;       // of the host's grants
  std::string boot_id = {};                 // of the host, as reported in its heartbeats
  std::uint64_t lease_revision = 0;         // the newest the scheduler has reported
  bool is_scheduler_trusted = true;         // its records have not gone back
};

/// What applying a list changes.
struct GrantsPlan {
  bool is_outdated = false;  // a later list was applied before: nothing changes
  std::vector<StoredGrant> writes = {};
  std::vector<msg::NodeId> new_epochs = {};    // of nodes in `writes`
  bool is_complete = false;                    // the host has its complete list
  std::optional<std::uint64_t> revision = {};  // applied now
};

/// Takes what is newer than what is known. Pure.
GrantsPlan plan_grants(const GrantsView& view, const msg::ApplyGrants& request,
                       const Config& config);

class Grants {
 public:
  using Id = std::pair<msg::HostId, msg::NodeId>;

  Grants(core::Store& store, const Config& config) : store_{store}, config_{config} {}

  /// Builds the index from the records.
  void rebuild();
  const StoredGrant* find(const Id& id) const;
  /// The grant of the domain with this uuid, or null.
  const StoredGrant* find_by_uuid(const std::string& uuid) const;
  /// The nodes with a grant on this host.
  std::vector<msg::NodeId> nodes(const msg::HostId& host_id) const;
  std::uint64_t applied_revision(const msg::HostId& host_id) const;
  std::size_t size() const { return by_uuid_.size(); }
  /// Visits the grants of every host. `visit` must not commit.
  void for_each(const std::function<void(const StoredGrant&)>& visit) const;

  /// The records that `request` concerns, for plan_grants().
  GrantsView view(const msg::ApplyGrants& request) const;
  void apply(core::Transaction& tx, const msg::HostId& host_id, const GrantsPlan& plan);
  void write(core::Transaction& tx, StoredGrant stored);
  void remove(core::Transaction& tx, const Id& id);

  /// Asserts that the index holds every record once, and nothing else.
  void check() const;

 private:
  core::Store& store_;
  const Config& config_;
  std::map<std::string, Id> by_uuid_ = {};
};

}  // namespace nucleus::provisioner
