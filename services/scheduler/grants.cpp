#include "services/scheduler/grants.hpp"

#include "core/log/log.hpp"
#include "services/scheduler/statuses.hpp"

namespace nucleus::scheduler {

void GrantSender::send(const msg::HostId& id, const std::set<msg::NodeId>& nodes) {
  if (const auto* host = view_.host(id)) send(*host, nodes, false);
}

void GrantSender::send_complete(const msg::HostId& id) {
  metrics_.grants_repeated.Increment();
  if (const auto* host = view_.host(id)) send(*host, view_.nodes_on(id), true);
}

/// The grants are read now and sent once they are durable: a host never receives one that may be
/// lost.
void GrantSender::send(const StoredHost& host, const std::set<msg::NodeId>& nodes,
                       bool is_complete) {
  const auto host_id = host.host_id;
  msg::ApplyGrants request{.host_id = host_id,
                           .revision = host.revision,
                           .is_complete = is_complete,
                           .boot_id = heartbeats_.boot_id(host_id),
                           .machine_id = host.machine_id};
  for (const auto& id : nodes)
    if (const auto* node = view_.node(id); node && node->host_id == host_id && !is_joining(*node))
      request.grants.push_back(grant_of(*node, view_));
  heartbeats_.begin_call(host_id);
  const core::CallOptions options{.to = host.process,
                                  .deadline = core::Milliseconds{view_.config().grant_call_ms}};
  const auto ended = [this, host_id](const core::Result<msg::Done>& applied) {
    heartbeats_.end_call(host_id);
    if (!applied)
      core::log::warning("grants_not_applied",
                         {{"host", host_id.value}, {"reason", applied.error().detail}});
  };
  store_.when_durable(
      [this, request = std::move(request), options, ended](const core::Result<void>& durable) {
        if (durable) bus_.call<msg::ApplyGrants>(request, options, ended);
      });
}

}  // namespace nucleus::scheduler
