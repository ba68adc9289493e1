// Who decides which hosts a computeset gets, and when. The embedded backend does so itself; a batch
// system would own the hosts, and its backend would plan what the batch system decided.
//
// A backend changes records only through a draft, like every plan: a start is `start_computeset`
// with the hosts of the lease, an end is `end_computeset`. What it does outside, such as submitting
// a job or cancelling one, it derives from the view: a submitted computeset wants a job, a finished
// one does not. A change outside reaches the records by requesting a scheduling pass from the
// service.
#pragma once

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

  /// Ends the computesets whose walltime is over.
  virtual Plan plan_walltime_ends(const View& view, std::int64_t now_unix_ms) = 0;
};

}  // namespace nucleus::scheduler
