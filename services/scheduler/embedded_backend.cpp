#include "services/scheduler/embedded_backend.hpp"

#include "services/scheduler/plan/queue.hpp"
#include "services/scheduler/priority.hpp"

namespace nucleus::scheduler {

void EmbeddedBackend::submit(Draft& draft, msg::ComputesetId id) {
  Queue queue{draft};
  const auto choice = choice_of(*draft.computeset(id));
  for (const auto earlier : Priorities{draft}.order()) {
    if (earlier == id) break;
    if (choice_of(*draft.computeset(earlier)) == choice) queue.keep_waiting(earlier);
  }
  queue.place(id);
}

void EmbeddedBackend::place_submitted(Draft& draft) {
  Queue queue{draft};
  for (const auto id : Priorities{draft}.order()) queue.place(id);
}

std::expected<std::vector<msg::HostId>, Wait> EmbeddedBackend::find_more(
    Draft& draft, const StoredComputeset& stored, const Needs& needs) {
  Queue queue{draft};
  for (const auto waiting : Priorities{draft}.order())
    if (choice_of(*draft.computeset(waiting)) == choice_of(stored)) queue.keep_waiting(waiting);
  return queue.find_more(choice_of(stored), needs);
}

}  // namespace nucleus::scheduler
