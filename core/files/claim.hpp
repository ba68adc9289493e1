// Names that one process of this machine holds at a time.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <string_view>

namespace nucleus::core {

/// Takes a name, at most 100 bytes, as an abstract unix socket. Returns its descriptor, which holds
/// the name until it is closed or the process ends; -1 if another process, or this one, has it.
inline int claim_name(std::string_view name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const int claim = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(claim, reinterpret_cast<const sockaddr*>(&address), size) == 0) return claim;
  close(claim);
  return -1;
}

}  // namespace nucleus::core
