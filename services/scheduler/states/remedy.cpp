#include "services/scheduler/states/remedy.hpp"

namespace nucleus::scheduler {

std::string remedy_for(const Wait& wait) {
  switch (wait.reason) {
    case WaitReason::unknown:
      return {};
    case WaitReason::ports:
      return "the network service leases its ports; if this lasts, the operator looks at nucleus "
             "status";
    case WaitReason::volume:
      return "the image store prepares its volume; if this lasts, check its image and ISO";
    case WaitReason::still_running:
      return "it starts when that node is off: power it off";
    case WaitReason::next_pass:
      return "the scheduler looks at it next";
    case WaitReason::no_room:
    case WaitReason::no_room_for_all:
      return "it starts when enough of what runs has ended; fewer or smaller nodes may start now";
    case WaitReason::too_large:
    case WaitReason::too_large_for_all:
      return "it never starts on these hosts: terminate it, and ask for fewer or smaller nodes";
    case WaitReason::no_host_up:
      return "the operator brings a host up: nucleus host list";
    case WaitReason::all_hosts_drained:
      return "the operator resumes a host: nucleus host resume HOST";
    case WaitReason::hosts_in_doubt:
      return "it starts when a host has checked its switch without a fault; if this lasts, the "
             "operator looks at nucleus verify";
    case WaitReason::no_adapters:
      return "the operator gives a host adapters: nucleus host show HOST";
    case WaitReason::named_host_closed:
      return "the operator resumes that host; without a named host it may start elsewhere";
    case WaitReason::named_host_full:
      return "it starts when enough of what runs there has ended; without a named host it may "
             "start "
             "elsewhere";
    case WaitReason::disk:
      return "the operator brings that host back, or you give up what was written since a "
             "generation of the disk: cm comet node rollback";
    case WaitReason::memory:
      return "the operator brings that host back, or you give the saved memory up: cm comet resume "
             "ID --boot";
    case WaitReason::disk_work:
      return "it starts when that is done; if this lasts, the operator looks at nucleus status";
    case WaitReason::reserved:
      return "it starts when the reservation is over; a walltime that ends before the reservation "
             "begins may start now";
    case WaitReason::reservation_planned:
      return "it starts when its reservation begins; without the reservation it may start now";
    case WaitReason::reservation_full:
      return "it starts when enough of what runs in the reservation has ended";
    case WaitReason::behind:
      return "it starts after that one";
    case WaitReason::batch_hosts:
      return "it starts when a host that is not the batch system's has room";
    case WaitReason::job_missing:
      return "the scheduler submits its job when the batch system answers; if this lasts, the "
             "operator looks at sinfo and slurmctld";
    case WaitReason::job_pending:
      return "it starts when the batch system has started that job: squeue --jobs " + wait.subject;
    case WaitReason::job_full:
      return "it starts when these hosts are up and have room: nucleus host list";
    case WaitReason::reservation_begins:
      return "it starts on another host when it is off";
    case WaitReason::start_failed:
      return "it starts there if that works, or on another host that has room; the operator looks "
             "at that host";
  }
  return {};
}

std::string remedy_for(msg::HostState state, const msg::HostId& id) {
  switch (state) {
    case msg::HostState::drained:
      return "nucleus host resume " + id.value;
    case msg::HostState::unreachable:
      return "its nodes run on; it is lost when its lease ends without a heartbeat: check its "
             "network and its provisioner";
    case msg::HostState::lost:
      return "it takes nodes again after its next heartbeat; if it is gone for good: nucleus host "
             "remove " +
             id.value;
    case msg::HostState::unknown:
    case msg::HostState::up:
      return {};
  }
  return {};
}

}  // namespace nucleus::scheduler
