// Requests about the disks that this host keeps itself: they are removed only while their
// node does not run here, and sealed and sent also while it runs. Runs on the service's loop; files
// are changed on workers.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "core/bus/bus.hpp"
#include "core/loop/loop.hpp"
#include "services/provisioner/domains.hpp"
#include "services/provisioner/driver/local_volumes.hpp"
#include "services/provisioner/grants.hpp"
#include "services/provisioner/lease.hpp"

namespace nucleus::provisioner {

class VolumeRequests {
 public:
  struct Parts {
    core::Loop& loop;
    core::Workers& workers;
    const Config& config;
    const Grants& grants;
    const Domains& domains;
    const Leases& leases;
    std::shared_ptr<LocalVolumes> volumes;  // null: this host keeps none
    std::shared_ptr<Hypervisor> hypervisor;
  };

  explicit VolumeRequests(Parts parts) : parts_{std::move(parts)} {}

  /// A node that may still run here, or has a domain, keeps its disk: the scheduler asks again.
  void remove(const msg::RemoveVolumes& request, core::Responder<msg::VolumesRemoved> respond);
  void seal(const msg::SealDisk& request, core::Responder<msg::SealedDisk> respond);
  void send_layer(const msg::SendLayer& request, core::Responder<msg::LayerSent> respond);

 private:
  /// Of a request for another host, or before the domains are known.
  std::optional<core::Error> refusal(const msg::HostId& host_id) const;
  /// The grant of the node on this host, which has not ended; or null.
  const msg::Grant* find_grant(const msg::HostId& host_id, const msg::NodeId& node_id) const;
  /// Or may have one soon.
  bool has_domain(const msg::HostId& host_id, const msg::NodeId& node_id) const;
  /// The node, if its domain runs under its grant; it may be about to stop.
  std::optional<LocalVolumes::RunningNode> find_running(const msg::HostId& host_id,
                                                        const msg::NodeId& node_id) const;
  template <class Reply>
  using Change = std::function<core::Result<Reply>(LocalVolumes&, const LocalVolumes::Claim&)>;
  template <class Reply>
  void change_disk(const msg::NodeId& node_id, Change<Reply> change,
                   core::Responder<Reply> respond);

  Parts parts_;
};

}  // namespace nucleus::provisioner
