// The changes of a placement when its domain is observed in another state.
#pragma once

#include "core/result.hpp"
#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// A domain runs once under an epoch: when it has ended, so has its placement. An event of another
/// placement changes nothing; one from a process that is not the host's is refused.
core::Result<Plan> plan_domain_change(const View& view, const msg::DomainChanged& event,
                                      const std::string& sender, std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler
