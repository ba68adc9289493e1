// The scheduler's handler for which projects may power nodes on: not before the registry has said
// that what must be signed is signed.
#include "services/scheduler/keys.hpp"
#include "services/scheduler/service.hpp"

namespace nucleus::scheduler {

core::Result<void> Service::take_clearance(const msg::AcknowledgementChanged& event,
                                           core::Context& context) {
  auto tx = store_.begin(context);
  const auto key = keys::hold(event.project_id);
  if (!event.is_acknowledged)
    tx.write(key, StoredHold{.project_id = event.project_id, .reason = event.reason});
  else if (tx.read(key))
    tx.remove(key);
  return tx.commit();
}

core::Result<void> Service::check_cleared(const msg::ProjectId& project_id) const {
  const auto* hold = store_.read(keys::hold(project_id));
  if (!hold) return {};
  return core::refuse(
      core::ErrorCode::wrong_state,
      "Project " + msg::shown(project_id.value) + " may power nothing on: " + hold->reason,
      "project_id");
}

}  // namespace nucleus::scheduler
