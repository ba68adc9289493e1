#include "services/provisioner/memory_requests.hpp"

#include "services/provisioner/domain_plan.hpp"
#include "services/provisioner/driver/memory_files.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;

std::optional<core::Error> MemoryRequests::refusal(const msg::KeepMemories& request) const {
  if (auto broken = msg::check(request)) return broken;
  if (!parts_.leases.contains(request.host_id))
    return core::Error{.code = ErrorCode::not_found,
                       .detail = "no such host: " + msg::shown(request.host_id.value),
                       .field = "host_id"};
  const auto& reporter = parts_.reporter;
  const bool is_current = reporter.last() == 0 || (request.log_id == reporter.log_id() &&
                                                   request.reported >= reporter.last());
  if (!is_current)
    return core::Error{.code = ErrorCode::wrong_state,
                       .detail = "the host has reports that the list does not take into account"};
  if (parts_.domains.is_listed()) return std::nullopt;
  return core::Error{.code = ErrorCode::unavailable,
                     .detail = "the host's domains are not known yet"};
}

std::set<std::string> MemoryRequests::files_in_use(const msg::HostId& host_id) const {
  std::set<std::string> files;
  parts_.grants.for_each([&](const StoredGrant& stored) {
    const auto& grant = stored.grant;
    const bool is_settled = grant.is_on && stored.hibernation != msg::HibernationOutcome::unknown;
    if (stored.host_id == host_id && !grant.hibernation_id.empty() && !stored.is_revoked &&
        stored.phase != GrantPhase::ended && !is_settled)
      files.insert(memory_file_name(stored.domain_name, grant.hibernation_id));
  });
  return files;
}

void MemoryRequests::keep(const msg::KeepMemories& request, core::Responder<msg::Done> respond) {
  if (auto refused = refusal(request)) return respond(std::unexpected(*refused));
  std::set<std::string> kept;
  for (const auto& memory : request.memories)
    kept.insert(memory_file_name(
        domain_name(request.host_id, msg::Grant{.node_id = memory.node_id}, parts_.config),
        memory.hibernation_id));
  const auto listed = kept.size();
  kept.merge(files_in_use(request.host_id));
  const bool is_all_listed = kept.size() == listed;
  parts_.workers.run<msg::Done>(
      parts_.loop, core::Milliseconds{parts_.config.step_timeout_ms},
      [hypervisor = parts_.hypervisor, kept = std::move(kept), is_all_listed,
       directory = memory_directory(request.host_id, parts_.config)]() -> core::Result<msg::Done> {
        if (auto removed = hypervisor->remove_memories(directory, kept); !removed)
          return std::unexpected(removed.error());
        if (is_all_listed) return msg::Done{};
        return core::refuse(ErrorCode::wrong_state,
                            "grants use memory that the list does not name");
      },
      std::move(respond));
}

}  // namespace nucleus::provisioner
