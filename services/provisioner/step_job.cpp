#include "services/provisioner/step_job.hpp"

#include "core/assert.hpp"
#include "core/log/log.hpp"
#include "services/provisioner/driver/seed_drive.hpp"

namespace nucleus::provisioner {

namespace {

/// Makes what the domain needs.
core::Result<void> prepare(const StepJob& job) {
  if (!job.disk_place) return job.disk_place;
  if (job.volumes)
    if (auto prepared = job.volumes->prepare(job.volume); !prepared) return prepared;
  if (!job.seed_path.empty()) {
    const auto files = plan_seed(job.stored.grant);
    if (!files) return std::unexpected(files.error());
    if (auto written = write_seed_drive(job.seed_path, *files); !written) return written;
  }
  if (!job.addresses) return {};
  if (!job.address_service) return std::unexpected(job.address_service.error());
  return job.addresses->prepare(*job.address_service);
}

core::Result<void> create(const StepJob& job, Step step) {
  if (auto prepared = prepare(job); !prepared) {
    // Its memory was not touched: it waits, instead of booting without.
    if (step == Step::resume) prepared.error().code = core::ErrorCode::unavailable;
    return prepared;
  }
  return step == Step::resume ? job.hypervisor->restore(job.spec, job.memory_path)
                              : job.hypervisor->create(job.spec);
}

core::Result<StepResult> save_memory(const StepJob& job) {
  const auto bytes = job.hypervisor->save_memory(job.stored.domain_name, job.memory_path);
  if (!bytes) return std::unexpected(bytes.error());
  return StepResult{.hibernation = msg::HibernationOutcome::saved, .memory_bytes = *bytes};
}

/// Whether the domain was resumed. The clock of its guest stood still meanwhile.
core::Result<StepResult> settle(const StepJob& job) {
  const auto is_restored = job.hypervisor->is_restored(job.memory_path, job.stored.grant.epoch);
  if (!is_restored) return std::unexpected(is_restored.error());
  if (!*is_restored) return StepResult{.hibernation = msg::HibernationOutcome::failed};
  if (const auto set = job.hypervisor->set_clock(job.stored.domain_name); !set)
    core::log::info("clock_not_set",
                    {{"domain", job.stored.domain_name}, {"reason", set.error().detail}});
  return StepResult{.hibernation = msg::HibernationOutcome::resumed};
}

core::Result<void> call_driver(const StepJob& job, Step step) {
  const std::string& name = job.stored.domain_name;
  switch (step) {
    case Step::create:
    case Step::resume:
      return create(job, step);
    case Step::destroy:
      return job.hypervisor->destroy(name);
    case Step::shut_down:
      return job.hypervisor->shut_down(name);
    case Step::reboot:
      return job.hypervisor->reboot(name);
    case Step::reset:
      return job.hypervisor->reset(name);
    case Step::release:
      return job.hypervisor->release(job.stored.grant.adapters);
    case Step::unknown:
    case Step::none:
    case Step::record_running:
    case Step::record_end:
    case Step::forget:
    case Step::save:
    case Step::settle:
      break;
  }
  NUCLEUS_ASSERT(is_driver_step(step));
  return {};
}

}  // namespace

core::Result<StepResult> run_step(const StepJob& job, Step step) {
  if (step == Step::save) return save_memory(job);
  if (step == Step::settle) return settle(job);
  if (const auto done = call_driver(job, step); !done) return std::unexpected(done.error());
  return StepResult{};
}

}  // namespace nucleus::provisioner
