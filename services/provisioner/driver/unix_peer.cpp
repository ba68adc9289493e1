// Asks the kernel through netlink (sock_diag): the peer of a connection that was not accepted has
// no inode.
#include "services/provisioner/driver/unix_peer.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace nucleus::provisioner {

namespace {

struct Question {
  nlmsghdr head;
  unix_diag_req request;
};

std::optional<bool> has_peer_inode(const char* bytes, std::size_t size) {
  nlmsghdr head{};
  constexpr std::size_t attributes_at =
      NLMSG_ALIGN(sizeof head) + NLMSG_ALIGN(sizeof(unix_diag_msg));
  if (size < attributes_at) return {};
  std::memcpy(&head, bytes, sizeof head);
  if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY || head.nlmsg_len > size) return {};
  for (std::size_t at = attributes_at; at + sizeof(rtattr) <= head.nlmsg_len;) {
    rtattr attribute{};
    std::memcpy(&attribute, bytes + at, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || at + attribute.rta_len > head.nlmsg_len) return {};
    if (attribute.rta_type == UNIX_DIAG_PEER && attribute.rta_len >= RTA_LENGTH(sizeof(uint32_t))) {
      std::uint32_t inode = 0;
      std::memcpy(&inode, bytes + at + RTA_LENGTH(0), sizeof inode);
      return inode != 0;
    }
    at += RTA_ALIGN(attribute.rta_len);
  }
  return {};
}

}  // namespace

std::optional<bool> is_accepted(int descriptor) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0) return {};
  const int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0) return {};
  Question question{};
  question.head.nlmsg_len = sizeof question;
  question.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.head.nlmsg_flags = NLM_F_REQUEST;
  question.request.sdiag_family = AF_UNIX;
  question.request.udiag_states = ~0U;
  question.request.udiag_ino = static_cast<std::uint32_t>(status.st_ino);
  question.request.udiag_show = UDIAG_SHOW_PEER;
  question.request.udiag_cookie[0] = question.request.udiag_cookie[1] = ~0U;
  std::array<char, 4096> answer{};
  std::optional<bool> accepted;
  // The kernel has answered when send() returns.
  if (send(netlink, &question, sizeof question, 0) == static_cast<ssize_t>(sizeof question)) {
    const auto size = recv(netlink, answer.data(), answer.size(), MSG_DONTWAIT);
    if (size > 0) accepted = has_peer_inode(answer.data(), static_cast<std::size_t>(size));
  }
  close(netlink);
  return accepted;
}

}  // namespace nucleus::provisioner
