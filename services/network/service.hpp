// The network service leases a VLAN, a subnet and pkeys to each cluster, and ports with MACs and
// addresses to each node. It is the only one that does. It makes the InfiniBand ports of placed
// nodes members of their cluster's partitions. Runs on the service's loop.
#pragma once

#include "core/runtime/runtime.hpp"
#include "messages/adapters.hpp"
#include "messages/network.hpp"
#include "messages/registry.hpp"
#include "services/network/config.hpp"
#include "services/network/fabrics.hpp"
#include "services/network/metrics.hpp"
#include "services/network/view.hpp"

namespace nucleus::network {

class Service {
 public:
  /// Without `drivers`, those of the settings.
  Service(core::Runtime& runtime, Config config, const Fabrics::Drivers& drivers = {});

 private:
  core::Result<msg::ClusterNetworks> list_networks(const msg::ListNetworks& request,
                                                   core::Context& context);
  core::Result<msg::Fabrics> list_fabrics(const msg::ListFabrics& request, core::Context& context);
  core::Result<void> handle_cluster_defined(const msg::ClusterDefined& event,
                                            core::Context& context);
  core::Result<void> change_address_mode(const msg::Cluster& cluster, core::Context& context);
  core::Result<void> handle_node_defined(const msg::NodeDefined& event, core::Context& context);
  core::Result<void> handle_cluster_removed(const msg::ClusterRemoved& event,
                                            core::Context& context);
  core::Result<void> handle_node_removed(const msg::NodeRemoved& event, core::Context& context);
  core::Result<void> handle_adapters_leased(const msg::AdaptersLeased& event,
                                            core::Context& context);
  core::Result<void> handle_adapters_released(const msg::AdaptersReleased& event,
                                              core::Context& context);
  void sweep(core::Context& context);
  void check_fabrics(core::Context& context);

  void load();
  void apply(core::Transaction& tx, const Plan& plan);
  void apply_members(core::Transaction& tx, const Plan& plan);
  bool apply_waiting(core::Transaction& tx);
  void apply_settled(core::Transaction& tx, const MembersId& id);
  void settle_members();
  WantedMembers wanted(const std::string& fabric) const;
  void check_fabrics_of(const std::vector<StoredMembers>& changed);
  void show_counts();

  core::Bus& bus_;
  core::Store& store_;
  const Config config_;
  Metrics metrics_;
  Fabrics fabrics_;
  View view_;
};

}  // namespace nucleus::network
