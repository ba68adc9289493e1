// Looks at what the host counts of its domains: the series of each node, and which nodes are idle.
// Runs on the service's loop; the hypervisor is asked on a worker.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/loop/loop.hpp"
#include "core/metrics/series.hpp"
#include "messages/scheduler.hpp"
#include "services/provisioner/activity.hpp"
#include "services/provisioner/config.hpp"
#include "services/provisioner/grants.hpp"

namespace nucleus::provisioner {

class UsageWatch {
 public:
  /// All outlive it but the registry's series, which are removed with it.
  struct Sources {
    core::Loop& loop;
    core::Workers& workers;
    const Config& config;
    const Grants& grants;
    std::shared_ptr<Hypervisor> hypervisor;
    prometheus::Registry& registry;
  };

  explicit UsageWatch(const Sources& sources);
  ~UsageWatch();
  UsageWatch(const UsageWatch&) = delete;
  UsageWatch& operator=(const UsageWatch&) = delete;

  /// Begins a look, unless one is under way.
  void look();
  /// The nodes of a host that have been idle for a minute or longer; at most `idle_nodes_max`.
  std::vector<msg::IdleNode> idle_nodes(const msg::HostId& host_id) const;

 private:
  /// The series of one node, which count from the process's start on.
  struct Series {
    DomainUsage last = {};
    std::vector<prometheus::Counter*> counters = {};  // as `counted`
  };

  void take(const std::vector<DomainUsage>& usage);
  void count(const StoredGrant& stored, const DomainUsage& usage);
  void remove(Series& series);

  Sources sources_;
  Activity activity_;
  std::vector<core::CounterFamily*> families_ = {};  // as `counted`
  std::map<std::string, Series> series_ = {};        // by uuid
  bool is_looking_ = false;
  // A look that outlives this object finds it gone.
  std::shared_ptr<UsageWatch*> self_ = std::make_shared<UsageWatch*>(this);
};

}  // namespace nucleus::provisioner
