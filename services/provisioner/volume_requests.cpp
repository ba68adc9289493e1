#include "services/provisioner/volume_requests.hpp"

#include "core/log/log.hpp"
#include "services/provisioner/domain_plan.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;

std::optional<core::Error> VolumeRequests::refusal(const msg::HostId& host_id) const {
  if (!parts_.leases.contains(host_id))
    return core::Error{.code = ErrorCode::not_found,
                       .detail = "no such host: " + msg::shown(host_id.value),
                       .field = "host_id"};
  if (parts_.volumes && !parts_.domains.is_listed())
    return core::Error{.code = ErrorCode::unavailable,
                       .detail = "the host's domains are not known yet"};
  return std::nullopt;
}

const msg::Grant* VolumeRequests::find_grant(const msg::HostId& host_id,
                                             const msg::NodeId& node_id) const {
  const auto* stored = parts_.grants.find({host_id, node_id});
  const bool is_over = !stored || stored->phase == GrantPhase::ended || stored->is_revoked;
  return is_over ? nullptr : &stored->grant;
}

bool VolumeRequests::has_domain(const msg::HostId& host_id, const msg::NodeId& node_id) const {
  return parts_.domains.is_being_created({host_id, node_id}) ||
         parts_.domains.find(uuid_of_domain(host_id, node_id, parts_.config));
}

std::optional<LocalVolumes::RunningNode> VolumeRequests::find_running(
    const msg::HostId& host_id, const msg::NodeId& node_id) const {
  const auto* grant = find_grant(host_id, node_id);
  const auto uuid = uuid_of_domain(host_id, node_id, parts_.config);
  const auto* seen = parts_.domains.find(uuid);
  const bool is_running =
      grant && seen && seen->epoch == grant->epoch && seen->state != DomainState::starting &&
      !parts_.domains.is_being_created({host_id, node_id}) && !parts_.domains.is_stopping(uuid);
  if (!is_running) return std::nullopt;
  return LocalVolumes::RunningNode{.hypervisor = parts_.hypervisor,
                                   .domain = seen->name,
                                   .disk_bytes = grant->volume.disk_bytes};
}

void VolumeRequests::remove(const msg::RemoveVolumes& request,
                            core::Responder<msg::VolumesRemoved> respond) {
  const auto& host_id = request.host_id;
  if (auto broken = msg::check(request)) return respond(std::unexpected(*broken));
  if (auto refused = refusal(host_id)) return respond(std::unexpected(*refused));
  if (!parts_.volumes)
    return respond(core::refuse(ErrorCode::wrong_state, "this host keeps no volumes of its own"));
  msg::VolumesRemoved removable;
  for (const auto& node_id : request.nodes)
    if (!find_grant(host_id, node_id) && !has_domain(host_id, node_id))
      removable.nodes.push_back(node_id);
  parts_.workers.run<msg::VolumesRemoved>(
      parts_.loop, core::Milliseconds{parts_.config.step_timeout_ms},
      [volumes = parts_.volumes, nodes = std::move(removable.nodes)] {
        msg::VolumesRemoved removed;
        for (const auto& node_id : nodes) {
          if (const auto done = volumes->remove(node_id); done)
            removed.nodes.push_back(node_id);
          else
            core::log::warning("volume_not_removed",
                               {{"node", node_id.value}, {"reason", done.error().detail}});
        }
        return core::Result<msg::VolumesRemoved>(std::move(removed));
      },
      std::move(respond));
}

/// The claim is taken here, so that a grant which arrives later waits for the end of the change.
template <class Reply>
void VolumeRequests::change_disk(const msg::NodeId& node_id, Change<Reply> change,
                                 core::Responder<Reply> respond) {
  if (!parts_.volumes)
    return respond(core::refuse(ErrorCode::not_found, "this host keeps no disks of its own"));
  auto claim = parts_.volumes->claim(node_id);
  if (!claim)
    return respond(core::refuse(ErrorCode::unavailable, "another request changes the node's disk"));
  parts_.workers.run<Reply>(
      parts_.loop, core::Milliseconds{parts_.config.step_timeout_ms},
      [volumes = parts_.volumes, change = std::move(change), claim = std::move(claim)] {
        return change(*volumes, claim);
      },
      std::move(respond));
}

void VolumeRequests::seal(const msg::SealDisk& request, core::Responder<msg::SealedDisk> respond) {
  if (auto broken = msg::check(request)) return respond(std::unexpected(*broken));
  if (auto refused = refusal(request.host_id)) return respond(std::unexpected(*refused));
  if (const auto running = find_running(request.host_id, request.node_id))
    return change_disk<msg::SealedDisk>(
        request.node_id,
        [request, node = *running](LocalVolumes& volumes, const LocalVolumes::Claim& claim) {
          return volumes.seal_running(claim, request, node);
        },
        std::move(respond));
  const auto* grant = find_grant(request.host_id, request.node_id);
  if ((grant && grant->is_on) || has_domain(request.host_id, request.node_id))
    return respond(
        core::refuse(ErrorCode::wrong_state, "the node is being started or stopped there"));
  change_disk<msg::SealedDisk>(
      request.node_id,
      [request](LocalVolumes& volumes, const LocalVolumes::Claim& claim) {
        return volumes.seal(claim, request);
      },
      std::move(respond));
}

void VolumeRequests::send_layer(const msg::SendLayer& request,
                                core::Responder<msg::LayerSent> respond) {
  if (auto broken = msg::check(request)) return respond(std::unexpected(*broken));
  if (auto refused = refusal(request.host_id)) return respond(std::unexpected(*refused));
  change_disk<msg::LayerSent>(
      request.node_id,
      [request](LocalVolumes& volumes, const LocalVolumes::Claim& claim) {
        return volumes.send_layer(claim, request);
      },
      std::move(respond));
}

}  // namespace nucleus::provisioner
