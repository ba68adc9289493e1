// The socket that captures probes.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/assert.hpp"
#include "services/provisioner/driver/frame_probe.hpp"

namespace nucleus::provisioner {

namespace {

constexpr int receive_buffer_bytes = 4 << 20;
constexpr std::size_t frames_max = 100'000;  // of one collection
constexpr const char* namespace_folder = "/run/netns/";

/// Passes frames to the MAC of a run.
std::array<sock_filter, 6> filter_of(const ProbeRun& run) {
  return {{
      {BPF_LD | BPF_H | BPF_ABS, 0, 0, 0},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0x024e},
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 2},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, run.id},
      {BPF_RET | BPF_K, 0, 0, 0xffff},
      {BPF_RET | BPF_K, 0, 0, 0},
  }};
}

std::unexpected<core::Error> refused(const std::string& what) {
  return core::refuse(core::ErrorCode::unavailable, what + ": " + std::strerror(errno));
}

/// Puts this thread into a network namespace until it ends.
class NamespaceVisit {
 public:
  ~NamespaceVisit() {
    // A thread that cannot return must not go on in the wrong namespace.
    if (own_ >= 0) NUCLEUS_ASSERT(setns(own_, CLONE_NEWNET) == 0);
    if (own_ >= 0) close(own_);
  }
  core::Result<void> enter(const std::string& name) {
    if (name.empty()) return {};
    const int other = ::open((namespace_folder + name).c_str(), O_RDONLY | O_CLOEXEC);
    if (other < 0) return refused("network namespace " + name);
    const int own = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    const bool is_in = own >= 0 && setns(other, CLONE_NEWNET) == 0;
    const int error = errno;
    close(other);
    if (is_in) {
      own_ = own;
      return {};
    }
    if (own >= 0) close(own);
    errno = error;
    return refused("network namespace " + name);
  }

 private:
  int own_ = -1;  // set while this thread is in another one
};

std::map<int, std::string> interface_names() {
  std::map<int, std::string> names;
  auto* const all = if_nameindex();
  for (auto* one = all; one && one->if_index != 0; ++one)
    names[static_cast<int>(one->if_index)] = one->if_name;
  if_freenameindex(all);
  return names;
}

/// All frames of all interfaces, from now on, that pass the filter.
core::Result<void> begin_capture(int socket, const ProbeRun& run) {
  auto filter = filter_of(run);
  const sock_fprog program{.len = filter.size(), .filter = filter.data()};
  sockaddr_ll everywhere{};
  everywhere.sll_family = AF_PACKET;
  everywhere.sll_protocol = htons(ETH_P_ALL);
  const int on = 1;
  const int bytes = receive_buffer_bytes;
  const bool is_open =
      setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 &&
      setsockopt(socket, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) == 0 &&
      setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0 &&
      bind(socket, reinterpret_cast<const sockaddr*>(&everywhere), sizeof everywhere) == 0;
  if (!is_open) return refused("capture of frames");
  return {};
}

/// The tag that the kernel took out of the frame; 0 = none.
std::uint16_t tag_of(msghdr& message) {
  for (auto* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_PACKET || part->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata data{};
    std::memcpy(&data, CMSG_DATA(part), sizeof data);
    if (data.tp_status & TP_STATUS_VLAN_VALID) return data.tp_vlan_tci & 0xfff;
  }
  return 0;
}

}  // namespace

core::Result<FrameCapture> FrameCapture::open(const std::string& network_namespace,
                                              const ProbeRun& run) {
  NamespaceVisit visit;
  if (auto entered = visit.enter(network_namespace); !entered)
    return std::unexpected(entered.error());
  // Without a protocol it receives nothing until the filter is set.
  const int socket = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return refused("capture of frames");
  FrameCapture capture(socket, interface_names());
  if (auto begun = begin_capture(socket, run); !begun) return std::unexpected(begun.error());
  return capture;
}

FrameCapture::~FrameCapture() {
  if (socket_ >= 0) close(socket_);
}

std::vector<Sighting> FrameCapture::collect(
    const std::function<bool(const std::vector<Sighting>&)>& is_complete, std::int64_t wait_ms) {
  std::vector<Sighting> sightings;
  std::array<char, 256> frame{};
  std::array<char, 128> ancillary{};
  std::int64_t waits_left = wait_ms;
  for (std::size_t read = 0; read < frames_max; ++read) {
    sockaddr_ll from{};
    iovec part{.iov_base = frame.data(), .iov_len = frame.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.data();
    message.msg_controllen = ancillary.size();
    const auto size = recvmsg(socket_, &message, 0);
    if (size < 0) {
      if (is_complete(sightings) || waits_left <= 0) return sightings;
      constexpr int poll_ms = 5;
      pollfd readable{.fd = socket_, .events = POLLIN, .revents = 0};
      if (poll(&readable, 1, poll_ms) == 0) waits_left -= poll_ms;
      continue;
    }
    auto seen = parse_sighting({frame.data(), static_cast<std::size_t>(size)}, tag_of(message));
    const auto name = names_.find(from.sll_ifindex);
    if (!seen || name == names_.end()) continue;
    seen->interface = name->second;
    sightings.push_back(std::move(*seen));
  }
  return sightings;
}

}  // namespace nucleus::provisioner
