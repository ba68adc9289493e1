#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

std::string shown_reservation(const Wait& wait) {
  return wait.subject.empty() ? "a project's reservation" : "reservation " + wait.subject;
}

Wait missing_for(const StoredNode& node) {
  if (node.ports.empty()) return {.reason = WaitReason::ports, .detail = node.ports_reason};
  if (!node.is_volume_ready) return {.reason = WaitReason::volume, .detail = node.volume_reason};
  if (!is_volume_current(node)) return {.reason = WaitReason::volume};
  if (msg::is_under_way(node.disk_work))
    return {.reason = WaitReason::disk_work, .detail = text_of(node.disk_work)};
  return {};
}

std::string text_of(const msg::DiskWork& work) {
  const auto reason = work.reason.empty() ? "" : ": " + work.reason;
  switch (work.kind) {
    case msg::DiskWorkKind::save:
      return "its disk is being saved" + reason;
    case msg::DiskWorkKind::roll_back:
      return "its disk is being rolled back" + reason;
    case msg::DiskWorkKind::remove:
      return "a generation of its disk is being removed" + reason;
    case msg::DiskWorkKind::unknown:
      break;
  }
  return {};
}

std::string text_of(const Wait& wait) {
  const std::string of_subject = wait.subject.empty() ? "" : wait.subject + " ";
  const std::string of_class = wait.host_class.empty() ? "" : " of class " + wait.host_class;
  switch (wait.reason) {
    case WaitReason::unknown:
      return {};
    case WaitReason::ports:
      return of_subject + (wait.detail.empty() ? "waits for its network" : wait.detail);
    case WaitReason::volume:
      return of_subject + (wait.detail.empty() ? "waits for its volume" : wait.detail);
    case WaitReason::still_running:
      return of_subject + "still runs";
    case WaitReason::next_pass:
      return "waits for the next scheduling pass";
    case WaitReason::no_room:
      return "no host has room for this node now";
    case WaitReason::no_room_for_all:
      return "waits for hosts" + of_class + " with room for " +
             (wait.detail.empty() ? "all its nodes" : wait.detail);
    case WaitReason::too_large:
      return "no host" + of_class + " is large enough for " +
             (wait.subject.empty() ? "this node" : wait.subject);
    case WaitReason::too_large_for_all:
      return "all hosts" + of_class + " together are too small for " +
             (wait.detail.empty() ? "its nodes" : wait.detail);
    case WaitReason::no_host_up:
      return "no host" + of_class + " is up";
    case WaitReason::all_hosts_drained:
      return "all hosts" + of_class + " that are up are drained";
    case WaitReason::hosts_in_doubt:
      return "the isolation of all hosts" + of_class + " that are up is in doubt";
    case WaitReason::no_adapters:
      return "no host has an InfiniBand adapter on each fabric of its cluster";
    case WaitReason::named_host_closed:
      return "host " + wait.subject + " is drained, not up, or its isolation is in doubt";
    case WaitReason::named_host_full:
      return "host " + wait.subject + " has no room now";
    case WaitReason::disk_work:
      return of_subject + (wait.detail.empty() ? "waits for work on its disk" : wait.detail);
    case WaitReason::disk:
      return (wait.subject.empty() ? "" : wait.subject + ": ") + wait.detail;
    case WaitReason::memory:
      return (wait.subject.empty() ? "" : wait.subject + ": ") +
             (wait.detail.empty() ? "waits for the host that has its memory" : wait.detail);
    case WaitReason::reserved:
      return shown_reservation(wait) + " keeps hosts that have room";
    case WaitReason::reservation_planned:
      return "waits until reservation " + wait.subject + " begins";
    case WaitReason::reservation_full:
      return "the hosts of reservation " + wait.subject + " have no room now";
    case WaitReason::behind:
      return "waits for computeset " + wait.subject + ", which would start later otherwise";
    case WaitReason::batch_hosts:
      return "only batch jobs use the hosts that have room";
    case WaitReason::job_missing:
      return "waits for a batch job" + (wait.detail.empty() ? "" : ": " + wait.detail);
    case WaitReason::job_pending:
      return "waits for batch job " + wait.subject +
             (wait.detail.empty() ? "" : ": " + wait.detail);
    case WaitReason::job_full:
      return "the hosts of its batch job have no room, are drained or not up";
    case WaitReason::reservation_begins:
      return "leaves its host, where " + shown_reservation(wait) + " begins";
    case WaitReason::start_failed:
      return "leaves host " + wait.subject + ", where it " + wait.detail;
  }
  return {};
}

}  // namespace nucleus::scheduler
