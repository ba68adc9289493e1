// The provisioner's messages: the grants a host is given, and the domains observed on it.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/common.hpp"
#include "messages/image_store.hpp"
#include "messages/measurements.hpp"
#include "messages/network.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(DomainState, absent, shutoff, starting, running, paused, stopping, crashed,
             unreachable)

/// Another node of the cluster and its private address.
struct Peer {
  std::string name = {};
  std::string ip = {};
  NUCLEUS_FIELDS(name, ip);
};

/// A run of nodes with consecutive names and addresses: thousands take as few bytes as one.
struct PeerRange {
  std::string names = {};     // a hostlist: vm-demo-[00-99]
  std::string first_ip = {};  // of the first node; each next node has the next address
  NUCLEUS_FIELDS(names, first_ip);
};

/// The right to run a node's domain on one host, with all that is needed to run it. Written by the
/// scheduler alone.
struct Grant {
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::string node_name = {};
  std::uint64_t epoch = 0;     // grows with each placement of this node; a lower one is void
  std::uint64_t revision = 0;  // the host's grant revision that last changed this grant; within one
                               // epoch, a lower one is void
  bool is_on = false;        // desired: run the domain. False: stop it; the grant ends once it has
                             // stopped
  bool is_graceful = false;  // stop by ACPI, then by force at `stop_by_unix_ms`
  std::int64_t stop_by_unix_ms = 0;
  std::uint64_t reboots = 0;  // desired count of ACPI reboots; one more than done: reboot now
  std::uint64_t resets = 0;   // desired count of hard resets
  std::uint32_t cpus = 0;
  std::uint64_t memory_mb = 0;
  std::vector<Port> ports = {};
  std::vector<PeerRange> peers = {};  // all nodes of the cluster, this one included: /etc/hosts
  Volume volume = {};
  bool is_disk_on_host = false;  // the node's disk is a volume of this host, not the image store's
  std::vector<LeasedAdapter> adapters = {};  // PCI functions of the host that the domain has
  bool boots_from_network = false;           // as the node is defined
  std::string hibernation_id = {};  // on: resume from the memory that was saved under this name, or
                                    // boot if that fails; off: save it, then stop. Empty = neither
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, node_name, epoch, revision, is_on, is_graceful,
                 stop_by_unix_ms, reboots, resets, cpus, memory_mb, ports, peers, volume,
                 is_disk_on_host, adapters, boots_from_network, hibernation_id);
};

/// Gives a host new or changed grants. `revision` counts the changes of the host's grants, without
/// gaps: a host at 5 that receives 7 applies the grants, still reports 5 in its heartbeats, and is
/// sent a complete list. Grants that a complete list does not contain are void.
struct ApplyGrants {
  static constexpr std::string_view topic = "provisioner.apply-grants";
  using Reply = Done;
  HostId host_id = {};
  std::uint64_t revision = 0;
  bool is_complete = false;
  std::vector<Grant> grants = {};
  std::string boot_id = {};  // from the host's last heartbeat: a list for another boot is outdated
  std::string machine_id = {};  // that the host is bound to: not for another one of its name
  NUCLEUS_FIELDS(host_id, revision, is_complete, grants, boot_id, machine_id);
};

constexpr std::size_t removed_volumes_max = 1000;

/// The nodes whose disks a host has deleted, or does not have.
struct VolumesRemoved {
  std::vector<NodeId> nodes = {};
  NUCLEUS_FIELDS(nodes);
};

/// Deletes the disks of removed nodes, which a host with volumes of its own keeps. Those that may
/// still run or have a domain there are kept, and missing in the reply: ask again.
struct RemoveVolumes {
  static constexpr std::string_view topic = "provisioner.remove-volumes";
  using Reply = VolumesRemoved;
  HostId host_id = {};
  std::vector<NodeId> nodes = {};  // 1..1000
  NUCLEUS_FIELDS(host_id, nodes);
};

inline std::optional<Error> check(const RemoveVolumes& request) {
  if (request.nodes.empty() || request.nodes.size() > removed_volumes_max)
    return invalid("nodes", "nodes must have 1 to 1000 entries");
  for (const auto& node_id : request.nodes)
    if (auto broken = check_name("nodes", node_id.value)) return broken;
  return std::nullopt;
}

/// A disk that its host has sealed: what the guest wrote since the last generation is a file that
/// does not change any more.
struct SealedDisk {
  bool is_sealed = false;          // false: being read, ask again
  std::uint64_t size_bytes = 0;    // of the file
  std::string sha256 = {};         // hex
  std::int64_t sealed_unix_s = 0;  // what the guest wrote later is not in the file; 0 = its node
                                   // was off
  NUCLEUS_FIELDS(is_sealed, size_bytes, sha256, sealed_unix_s);
};

/// Seals the disk of a node on the host that keeps it. May be repeated with the same `save_id`,
/// also after the layer was sent. While the node runs, its guest goes on and writes to a new file
/// over the sealed one; a sealed file that an earlier save has not published is taken over as it
/// is. If the node is off, a later start with the layer writes to a new file over it; one without
/// it, before it was published, writes to it again, and its save is void. `wrong_state`: the node
/// is being started or stopped there; `not_found`: the host has no disk of it, or nothing was
/// written since it was saved.
struct SealDisk {
  static constexpr std::string_view topic = "provisioner.seal-disk";
  using Reply = SealedDisk;
  HostId host_id = {};
  NodeId node_id = {};
  std::string save_id = {};  // of this save; a name
  NUCLEUS_FIELDS(host_id, node_id, save_id);
};

inline std::optional<Error> check(const SealDisk& request) {
  if (auto broken = check_name("node_id", request.node_id.value)) return broken;
  return check_name("save_id", request.save_id);
}

/// How much of a layer the image store has received.
struct LayerSent {
  std::uint64_t sent_bytes = 0;
  bool is_complete = false;
  std::string reason = {};    // why it does not get on; empty = it does
  bool is_continued = false;  // of a published layer: the host has a disk that continues it
  NUCLEUS_FIELDS(sent_bytes, is_complete, reason, is_continued);
};

constexpr std::size_t layer_url_bytes_max = 512;
constexpr std::size_t layer_ticket_bytes_max = 128;

/// Sends a sealed disk to the image store by tus 1.0, with what it has received already left out.
/// The reply does not wait for the end: ask again, which also begins again what had failed. Once
/// `content_id` is set, nothing is sent: the image store has it as that content, and the host uses
/// its own file for it. `not_found`: no disk is sealed there by this save.
struct SendLayer {
  static constexpr std::string_view topic = "provisioner.send-layer";
  using Reply = LayerSent;
  HostId host_id = {};
  NodeId node_id = {};
  std::string save_id = {};
  std::string url = {};         // of the upload: https; or a path, of the image store's address for
                                // hosts; may be empty if `content_id` is set
  std::string ticket = {};      // a secret: the bearer token for `url`
  std::string content_id = {};  // that it was published as; empty = not yet
  NUCLEUS_FIELDS(host_id, node_id, save_id, url, ticket, content_id);
};

inline std::optional<Error> check(const SendLayer& request) {
  if (auto broken = check_name("node_id", request.node_id.value)) return broken;
  if (auto broken = check_name("save_id", request.save_id)) return broken;
  if (!request.content_id.empty()) return check_name("content_id", request.content_id);
  const auto is_one_word = [](std::string_view text, std::size_t bytes_max) {
    return !text.empty() && text.size() <= bytes_max &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  };
  const bool is_full = request.url.starts_with("https://");
  if ((!is_full && !request.url.starts_with('/')) || !is_one_word(request.url, layer_url_bytes_max))
    return invalid("url", "url must begin with https:// or / and have at most 512 bytes");
  if (!is_one_word(request.ticket, layer_ticket_bytes_max))
    return invalid("ticket", "ticket must be 1 to 128 printable characters");
  return std::nullopt;
}

/// What became of the hibernation that a grant asked for. saved: the domain's memory is a file of
/// its host; resumed: the domain runs on from it; failed: it could not be saved, or the domain has
/// booted instead.
NUCLEUS_ENUM(HibernationOutcome, saved, resumed, failed)

/// A domain changed its state: as its provisioner reports it to the scheduler, and the event that
/// the scheduler emits then.
struct DomainChanged {
  static constexpr std::string_view topic = "provisioner.domain-changed";
  HostId host_id = {};
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::uint64_t epoch = 0;  // of the grant that it runs under
  DomainState state = DomainState::unknown;
  std::string reason = {};             // one line for a person: why it is not in the desired state
  std::int64_t last_seen_unix_ms = 0;  // it ended unobserved, some time after this; else 0
  bool is_preparing = false;           // absent: nothing failed; its host still waits for what it
                                       // needs, such as a copy of its image: see `reason`
  HibernationOutcome hibernation = HibernationOutcome::unknown;  // unknown = none was asked for
  std::uint64_t memory_bytes = 0;                                // of the file, if it was saved
  NUCLEUS_FIELDS(host_id, node_id, cluster_id, project_id, epoch, state, reason, last_seen_unix_ms,
                 is_preparing, hibernation, memory_bytes);
};

NUCLEUS_ENUM(ConsoleKind, serial, vnc)

/// A console that can be opened.
struct ConsoleFound {
  std::uint64_t epoch = 0;  // of the grant that its domain runs under
  NUCLEUS_FIELDS(epoch);
};

/// Asks whether a node's console can be opened. `wrong_state`: the node does not run, or has no
/// such console.
struct CheckConsole {
  static constexpr std::string_view topic = "provisioner.check-console";
  using Reply = ConsoleFound;
  NodeId node_id = {};
  ConsoleKind kind = ConsoleKind::unknown;
  NUCLEUS_FIELDS(node_id, kind);
};

/// What a viewer who names no offset gets of a serial console's log.
constexpr std::int64_t console_tail_bytes = 64 * 1024;

/// Has the host connect a console with the console service: a WebSocket to /stream at the address
/// that the host was configured with, with the token in Sec-WebSocket-Protocol. The reply does not
/// wait for the connection. `wrong_state` as CheckConsole, or the epoch is another one. A serial
/// stream that names the `log_id` of a domain that has ended is sent the rest of its log.
///
/// The output of a serial console is its log: a file of the host, in which each byte has an offset
/// that never changes. Of a log that is not `log_id`, everything that is kept is sent.
struct StreamConsole {
  static constexpr std::string_view topic = "provisioner.stream-console";
  using Reply = Done;
  NodeId node_id = {};
  ConsoleKind kind = ConsoleKind::unknown;
  std::string token = {};                     // single use; a secret
  std::uint64_t epoch = 0;                    // of the grant; 0 = any
  bool is_announced = false;                  // serial: the first message is a text, a LogPart
  std::int64_t offset = -console_tail_bytes;  // of the first byte; negative = from the log's end
  std::string log_id = {};                    // that `offset` belongs to; empty = any
  NUCLEUS_FIELDS(node_id, kind, token, epoch, is_announced, offset, log_id);
};

constexpr std::size_t notice_bytes_max = 1024;

/// Shows a text to those who use the node, by its guest agent: in `/run/nucleus-notice`, and on the
/// terminals of all who are logged in. `unavailable`: no agent answers; `wrong_state`: the node
/// does not run.
struct NotifyNode {
  static constexpr std::string_view topic = "provisioner.notify-node";
  using Reply = Done;
  NodeId node_id = {};
  std::string text = {};  // 1..1024 bytes, one line
  NUCLEUS_FIELDS(node_id, text);
};

NUCLEUS_ENUM(Probe, ping, mpi_pingpong, fio_random_read)

constexpr double probe_figure_max = 1e9;  // what no hardware exceeds, in each unit
constexpr std::size_t probe_ranks_max = 2;

/// The figures of a probe, each 0..1e9; those that the probe does not measure are 0.
struct ProbeResult {
  std::vector<std::string> hosts = {};  // 0..2: the ranks' host names, as the ranks report them
  double latency_us = 0;                // half a round trip of 1 byte
  double bandwidth_mb_s = 0;            // with messages of 1 MiB, or of sequential reads
  double operations_per_s = 0;          // reads of 4 KiB
  NUCLEUS_FIELDS(hosts, latency_us, bandwidth_mb_s, operations_per_s);
};

inline std::optional<Error> check(const ProbeResult& result) {
  if (result.hosts.size() > probe_ranks_max) return invalid("hosts", "more than 2 ranks");
  for (const auto& [field, figure] : {std::pair{"latency_us", result.latency_us},
                                      std::pair{"bandwidth_mb_s", result.bandwidth_mb_s},
                                      std::pair{"operations_per_s", result.operations_per_s}})
    if (!(figure >= 0 && figure <= probe_figure_max))  // also false for what is not a number
      return invalid(field, std::string(field) + " must be 0 to 1e9");
  return std::nullopt;
}

/// Runs a probe inside a node through its guest agent. `ping` succeeds once the agent answers.
struct ProbeNode {
  static constexpr std::string_view topic = "provisioner.probe-node";
  using Reply = ProbeResult;
  NodeId node_id = {};
  Probe probe = Probe::unknown;
  std::vector<Peer> peers = {};  // mpi_pingpong: the two nodes
  NUCLEUS_FIELDS(node_id, probe, peers);
};

/// Runs the same probe on the host itself, as the native baseline.
struct ProbeHost {
  static constexpr std::string_view topic = "provisioner.probe-host";
  using Reply = ProbeResult;
  HostId host_id = {};
  Probe probe = Probe::unknown;
  NUCLEUS_FIELDS(host_id, probe);
};

/// Runs a tool of measurements.hpp once: in a node through its guest agent, or on the host itself.
/// One run at a time on each machine: a run waits until a run that was cut off has ended.
struct RunMeasurement {
  static constexpr std::string_view topic = "provisioner.run-measurement";
  using Reply = MeasurementRun;
  HostId host_id = {};
  NodeId node_id = {};                  // empty = on the host itself
  std::string tool = {};                // a name in `tools`
  std::vector<std::string> peers = {};  // node_pair: where the ranks run, two names of nodes or of
                                        // hosts; on one host: empty
  NUCLEUS_FIELDS(host_id, node_id, tool, peers);
};

/// Measures the links between nodes once, with one rank on each, from a node through its guest
/// agent. It waits for other runs in that node, as RunMeasurement does.
struct RunLinks {
  static constexpr std::string_view topic = "provisioner.run-links";
  using Reply = LinksRun;
  HostId host_id = {};
  NodeId node_id = {};                  // the first of them
  std::vector<std::string> peers = {};  // 2..64 names of nodes
  NUCLEUS_FIELDS(host_id, node_id, peers);
};

}  // namespace nucleus::msg
