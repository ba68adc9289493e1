// Requests about the saved memory that this host keeps: what the scheduler does not name, and no
// grant uses, is deleted. Runs on the service's loop; files are deleted on workers.
#pragma once

#include <memory>

#include "core/bus/bus.hpp"
#include "core/loop/loop.hpp"
#include "messages/hibernation.hpp"
#include "services/provisioner/domains.hpp"
#include "services/provisioner/grants.hpp"
#include "services/provisioner/lease.hpp"
#include "services/provisioner/reporter.hpp"

namespace nucleus::provisioner {

class MemoryRequests {
 public:
  struct Parts {
    core::Loop& loop;
    core::Workers& workers;
    const Config& config;
    const Grants& grants;
    const Domains& domains;
    const Leases& leases;
    const Reporter& reporter;
    std::shared_ptr<Hypervisor> hypervisor;
  };

  explicit MemoryRequests(Parts parts) : parts_{std::move(parts)} {}

  void keep(const msg::KeepMemories& request, core::Responder<msg::Done> respond);

 private:
  std::optional<core::Error> refusal(const msg::KeepMemories& request) const;
  /// The files of memory that grants of the host save or use now.
  std::set<std::string> files_in_use(const msg::HostId& host_id) const;

  Parts parts_;
};

}  // namespace nucleus::provisioner
