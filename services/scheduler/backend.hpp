// Who decides which hosts a computeset gets, and when. The embedded backend does so itself; a batch
// system gives out its hosts itself, and its backend plans what the batch system decided.
//
// A backend changes records only through a draft, like every plan: a start is `start_computeset`
// with the hosts of the lease, an end is `end_computeset`.
#pragma once

#include <expected>

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

class Backend {
 public:
  virtual ~Backend() = default;

  /// A computeset was just accepted: starts it if that can be decided now; otherwise it waits, with
  /// the reason.
  virtual void submit(Draft& draft, msg::ComputesetId id) = 0;

  /// Part of a scheduling pass: starts those submitted computesets that have hosts now, and records
  /// why the others wait.
  virtual void place_submitted(Draft& draft) = 0;

  /// Hosts for more nodes of a computeset that runs: all of `needs`, now; otherwise why there are
  /// none.
  virtual std::expected<std::vector<msg::HostId>, Wait> find_more(Draft& draft,
                                                                  const StoredComputeset& stored,
                                                                  const Needs& needs) = 0;

  /// Reservations are not the scheduler's: it passes on the name that a start gives.
  virtual bool keeps_reservations() const { return false; }
};

}  // namespace nucleus::scheduler
