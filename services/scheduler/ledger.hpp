// Applies plans: the only place that writes the scheduler's records. One transaction holds the
// records, their events, the hosts' revisions and the reply; then the view follows, and the grants
// leave once all that is durable.
#pragma once

#include <functional>

#include "core/state/store.hpp"
#include "services/scheduler/grants.hpp"
#include "services/scheduler/plan/plan.hpp"
#include "services/scheduler/view.hpp"

namespace nucleus::scheduler {

class Ledger {
 public:
  /// `want_pass` is called after a plan that may give room to something that waits.
  Ledger(core::Store& store, View& view, GrantSender& grants, std::function<void()> want_pass)
      : store_{store}, view_{view}, grants_{grants}, want_pass_{std::move(want_pass)} {}

  /// Writes nothing for an empty plan. `unavailable` while the store is loaded again, and then
  /// nothing has happened.
  core::Result<void> apply(Plan plan, const core::Context& context);

  /// As above; the reply is stored with the records, for repeats of the request, even if the plan
  /// is empty.
  template <msg::Struct Reply>
  core::Result<Reply> apply(Plan plan, Reply reply, const core::Context& context) {
    auto transaction = write(plan, context);
    auto committed = transaction.commit(std::move(reply));
    if (committed) follow(std::move(plan));
    return committed;
  }

 private:
  core::Transaction write(Plan& plan, const core::Context& context);
  void follow(Plan plan);

  core::Store& store_;
  View& view_;
  GrantSender& grants_;
  std::function<void()> want_pass_;
};

}  // namespace nucleus::scheduler
