#include "services/scheduler/embedded_backend.hpp"

#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/pass.hpp"

namespace nucleus::scheduler {

void EmbeddedBackend::submit(Draft& draft, msg::ComputesetId id) {
  place_computeset(draft, id);
}

void EmbeddedBackend::place_submitted(Draft& draft) {
  for (const auto id : draft.view().submitted()) place_computeset(draft, id);
}

Plan EmbeddedBackend::plan_walltime_ends(const View& view, std::int64_t now_unix_ms) {
  return scheduler::plan_walltime_ends(view, now_unix_ms);
}

}  // namespace nucleus::scheduler
