// What computesets were charged.
#include <algorithm>

#include "services/scheduler/charge.hpp"
#include "services/scheduler/keys.hpp"
#include "services/scheduler/service.hpp"

namespace nucleus::scheduler {

namespace {

constexpr std::size_t entries_max = 1'000;

/// It ran at some moment of the time asked for.
bool ran_within(const msg::Computeset& computeset, const msg::ListUsage& request) {
  if (computeset.start_unix_s == 0) return false;
  if (request.to_unix_s != 0 && computeset.start_unix_s >= request.to_unix_s) return false;
  return computeset.end_unix_s == 0 || computeset.end_unix_s >= request.from_unix_s;
}

}  // namespace

core::Result<msg::Usage> Service::list_usage(const msg::ListUsage& request,
                                             core::Context& context) {
  if (request.from_unix_s < 0 || request.to_unix_s < 0)
    return std::unexpected(msg::invalid("from_unix_s", "a time is below 0"));
  msg::Usage reply;
  store_.for_each<StoredComputeset>(keys::computesets(), [&](const StoredComputeset& stored) {
    const auto& computeset = stored.computeset;
    const bool is_theirs =
        request.is_operator ||
        std::ranges::find(request.projects, computeset.project_id) != request.projects.end();
    const bool is_wanted =
        computeset.computeset_id > request.after && ran_within(computeset, request) &&
        (request.allocation_id.empty() || computeset.allocation_id == request.allocation_id);
    if (!is_theirs || !is_wanted || reply.is_more) return;
    if (reply.entries.size() == entries_max) {
      reply.is_more = true;
      return;
    }
    const auto until_unix_s =
        computeset.end_unix_s == 0 ? context.now_unix_s() : computeset.end_unix_s;
    reply.entries.push_back(
        {.computeset_id = computeset.computeset_id,
         .project_id = computeset.project_id,
         .cluster_id = computeset.cluster_id,
         .allocation_id = computeset.allocation_id,
         .node_count = static_cast<std::uint32_t>(computeset.nodes.size()),
         .cores = static_cast<std::uint64_t>(stored.cores),
         .start_unix_s = computeset.start_unix_s,
         .end_unix_s = computeset.end_unix_s,
         .used_core_s = charge_core_s(stored.cores, computeset.start_unix_s, until_unix_s)});
  });
  return reply;
}

}  // namespace nucleus::scheduler
