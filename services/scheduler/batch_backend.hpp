// The backend of a batch system: it decides which hosts a computeset gets, and when; the
// computeset starts on them when its job is ready (plan/jobs.hpp).
#pragma once

#include "services/scheduler/backend.hpp"
#include "services/scheduler/plan/jobs.hpp"

namespace nucleus::scheduler {

class BatchBackend final : public Backend {
 public:
  /// `batch` is what the batch system showed last.
  explicit BatchBackend(const BatchSnapshot& batch) : batch_{batch} {}

  void submit(Draft& draft, msg::ComputesetId id) override { place(draft, id); }
  void place_submitted(Draft& draft) override;
  std::expected<std::vector<msg::HostId>, Wait> find_more(Draft& draft,
                                                          const StoredComputeset& stored,
                                                          const Needs& needs) override;
  bool keeps_reservations() const override { return true; }

 private:
  void place(Draft& draft, msg::ComputesetId id);
  Wait wait_of(const View& view, const StoredComputeset& stored, const Job* job) const;

  const BatchSnapshot& batch_;
};

}  // namespace nucleus::scheduler
