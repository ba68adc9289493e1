// The backend without a batch system: first come, first served, on the hosts of the view; a later
// computeset that fits passes an earlier one that does not.
#pragma once

#include "services/scheduler/backend.hpp"

namespace nucleus::scheduler {

class EmbeddedBackend final : public Backend {
 public:
  void submit(Draft& draft, msg::ComputesetId id) override;
  void place_submitted(Draft& draft) override;
  Plan plan_walltime_ends(const View& view, std::int64_t now_unix_ms) override;
};

}  // namespace nucleus::scheduler
