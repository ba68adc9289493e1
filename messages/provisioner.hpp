// The provisioner's messages: what one host must run, and what it was seen to run.
#pragma once

#include <string>
#include <vector>

#include "messages/common.hpp"
#include "messages/image_store.hpp"
#include "messages/network.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(DomainState, absent, shutoff, starting, running, paused, stopping, crashed,
             unreachable)

/// Another node of the cluster, by its private address.
struct Peer {
  std::string name = {};
  std::string ip = {};
  NUCLEUS_FIELDS(name, ip);
};

/// Nodes whose names and addresses count up together: thousands are as short as one.
struct PeerRange {
  std::string names = {};     // a hostlist: vm-demo-[00-99]
  std::string first_ip = {};  // of the first; each next node has the next address
  NUCLEUS_FIELDS(names, first_ip);
};

/// A right to run a node's domain on one host, and all that is needed for it. The scheduler writes
/// it.
struct Grant {
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::string node_name = {};
  std::uint64_t epoch = 0;     // grows with each placement of this node: an older one is void
  std::uint64_t revision = 0;  // of its host's grants, when this one last changed: of one epoch,
                               // the older one is void
  bool is_on =
      false;  // wanted: the domain runs; else it is stopped, and the grant ends when it is seen so
  bool is_graceful = false;  // stop through ACPI first, by force at `stop_by_unix_ms`
  std::int64_t stop_by_unix_ms = 0;
  std::uint64_t reboots = 0;  // wanted count of reboots (ACPI); one more than done = reboot now
  std::uint64_t resets = 0;   // wanted count of resets
  std::uint32_t cpus = 0;
  std::uint64_t memory_mb = 0;
  std::vector<Port> ports = {};
  std::vector<PeerRange> peers = {};  // every node of the cluster, this one too, for /etc/hosts
  Volume volume = {};
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, node_name, epoch, revision, is_on, is_graceful,
                 stop_by_unix_ms, reboots, resets, cpus, memory_mb, ports, peers, volume);
};

/// Scheduler to a host: these grants are new or changed. `revision` is the host's count of changes,
/// dense: a host that has applied 5 and is told 7 takes the grants but goes on saying 5 in its
/// heartbeats, and gets a complete list. In a complete list, what is not named is void.
struct ApplyGrants {
  static constexpr std::string_view topic = "provisioner.apply-grants";
  using Reply = Done;
  HostId host_id = {};
  std::uint64_t revision = 0;
  bool is_complete = false;
  std::vector<Grant> grants = {};
  std::string boot_id = {};  // as the host's last heartbeat said: a list made before is too old
  NUCLEUS_FIELDS(host_id, revision, is_complete, grants, boot_id);
};

/// Event: a domain was seen in another state.
struct DomainChanged {
  static constexpr std::string_view topic = "provisioner.domain-changed";
  HostId host_id = {};
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::uint64_t epoch = 0;  // of the grant that it runs under
  DomainState state = DomainState::unknown;
  std::string reason = {};        // one line, for a person: why, where it is not what was wanted
  std::int64_t seen_unix_ms = 0;  // ended while nobody watched: it was last seen then; else 0
  NUCLEUS_FIELDS(host_id, node_id, cluster_id, project_id, epoch, state, reason, seen_unix_ms);
};

NUCLEUS_ENUM(ConsoleKind, serial, vnc)

/// Where a running node's console can be reached from its host: a unix socket.
struct ConsoleEndpoint {
  std::string socket_path = {};
  std::string log_path = {};  // serial: what was printed so far; may be empty
  NUCLEUS_FIELDS(socket_path, log_path);
};

struct OpenConsole {
  static constexpr std::string_view topic = "provisioner.open-console";
  using Reply = ConsoleEndpoint;
  NodeId node_id = {};
  ConsoleKind kind = ConsoleKind::unknown;
  NUCLEUS_FIELDS(node_id, kind);
};

NUCLEUS_ENUM(Probe, answer, mpi_pingpong, fio_random_read)

/// A probe's figures; what does not apply is 0.
struct ProbeResult {
  std::vector<std::string> hosts = {};  // where the ranks ran, as the ranks said it
  double latency_us = 0;                // 1 byte, half a round trip
  double bandwidth_mb_s = 0;            // 1 MiB messages, or sequential bytes
  double operations_per_s = 0;          // 4 KiB reads
  NUCLEUS_FIELDS(hosts, latency_us, bandwidth_mb_s, operations_per_s);
};

/// Runs a probe inside a node through its guest agent. `answer` succeeds as soon as the agent
/// answers.
struct ProbeNode {
  static constexpr std::string_view topic = "provisioner.probe-node";
  using Reply = ProbeResult;
  NodeId node_id = {};
  Probe probe = Probe::unknown;
  std::vector<Peer> peers = {};  // mpi_pingpong: the two nodes
  NUCLEUS_FIELDS(node_id, probe, peers);
};

/// Runs the same probe on the host itself: the native baseline.
struct ProbeHost {
  static constexpr std::string_view topic = "provisioner.probe-host";
  using Reply = ProbeResult;
  HostId host_id = {};
  Probe probe = Probe::unknown;
  NUCLEUS_FIELDS(host_id, probe);
};

}  // namespace nucleus::msg
