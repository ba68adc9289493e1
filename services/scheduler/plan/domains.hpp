// The changes of placements when their domains are observed in another state.
#pragma once

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// The newest change of the report's log that has been taken; 0 = none.
std::uint64_t number_taken(const View& view, const msg::ReportDomains& report);

/// Takes the next changes of a report: those not taken before, each node at most once, so that no
/// state is passed over. A domain runs once under an epoch: when it has ended, so has its
/// placement. A change of another placement, or of a host that is not the reporting process's, only
/// counts as taken.
Plan plan_domain_report(const View& view, const msg::ReportDomains& report,
                        std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler
