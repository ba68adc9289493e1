// A step that needs calls of the driver, as it runs on a worker.
#pragma once

#include <memory>
#include <string>

#include "services/provisioner/driver/address_servers.hpp"
#include "services/provisioner/driver/local_volumes.hpp"
#include "services/provisioner/plan_step.hpp"

namespace nucleus::provisioner {

/// What the step needs; constant until it has ended.
struct StepJob {
  std::shared_ptr<Hypervisor> hypervisor;
  StoredGrant stored;
  DomainSpec spec;  // create alone
  std::string seed_path;
  std::shared_ptr<LocalVolumes> volumes;  // null = none to prepare
  HostVolume volume;
  std::shared_ptr<AddressServers> addresses;  // null = Nucleus does not answer its node
  core::Result<AddressService> address_service = {};
  core::Result<void> disk_place = {};  // see check_disk_place()
  std::string memory_path;
};

/// What a step with the memory of a domain found; other steps have none.
struct StepResult {
  msg::HibernationOutcome hibernation = msg::HibernationOutcome::unknown;
  std::uint64_t memory_bytes = 0;
};

/// The step starts a domain.
constexpr bool is_create(Step step) {
  return step == Step::create || step == Step::resume;
}

/// Takes the step: one for which is_driver_step() holds. Blocks.
core::Result<StepResult> run_step(const StepJob& job, Step step);

}  // namespace nucleus::provisioner
