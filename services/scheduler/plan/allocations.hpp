// What an allocation may still spend, and who pays for a computeset.
#pragma once

#include "core/result.hpp"
#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// What it is charged at most, from its start to the end of its walltime.
std::int64_t charge_core_s_max(const StoredComputeset& stored);

/// What an allocation has left, if all unfinished computesets run for their whole walltimes; none
/// if it has no limit. Below zero if its limit was lowered.
std::optional<std::int64_t> left_core_s(const Draft& draft, const msg::AllocationId& id);

/// Refused with `wrong_state` if `core_s` more than what is used, and what unfinished computesets
/// may still use, exceed the allocation's limit.
core::Result<void> check_allocation(const Draft& draft, const msg::AllocationId& id,
                                    std::int64_t core_s);

/// `stored` with more resources, or less, from now on; it is charged for them if it runs.
StoredComputeset with_more(StoredComputeset stored, const Resources& more, std::int64_t now_unix_s);

/// As `check_allocation`, for what `changed` may cost more than it does as the view has it.
core::Result<void> check_more(const Draft& draft, const StoredComputeset& changed);

/// A node that is on no host takes the size of its definition; its running computeset is charged
/// for it from now on. Refused, and nothing is changed, if the allocation does not allow it.
core::Result<void> resize_node(Draft& draft, const msg::NodeId& id);

/// The allocation that the request names, or the cluster's only one; of the cluster's project.
core::Result<msg::AllocationId> pick_allocation(const View& view, const msg::Cluster& cluster,
                                                const msg::StartComputeset& request);

/// `not_found` if the project does not exist.
core::Result<Plan> plan_allocation(const View& view, const msg::DefineAllocation& request,
                                   std::int64_t now_unix_ms);

Plan plan_project_defined(const View& view, const msg::ProjectDefined& event,
                          std::int64_t now_unix_ms);

/// The project's allocations belong to no project from now on; its reservations are removed.
Plan plan_project_removed(const View& view, const msg::ProjectRemoved& event,
                          std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler
