// Ports of the loopback address for the servers of tests.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>

namespace nucleus::tests {

/// Whether this process holds the port against other tests: by an abstract unix socket, until the
/// process ends. `free_port` in tests/e2e/conftest.py uses the same name.
inline bool claim_port(int port) {
  const auto name = "nucleus-test-port-" + std::to_string(port);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const int claim = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(claim, reinterpret_cast<const sockaddr*>(&address), size) == 0) return true;
  close(claim);
  return false;
}

/// A port that nobody listens at, and that no other test gets while this process runs. It is below
/// the ports that the kernel gives to connections (from 32,768) and those that `nucleus up` chooses
/// (from 20,000), so it is still free when the server is started, or started again.
inline int free_port() {
  constexpr int first = 10'000;
  constexpr int last = 19'999;
  constexpr int attempts_max = 1'000;
  std::random_device device;
  std::uniform_int_distribution<int> any(first, last);
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    const int port = any(device);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_free =
        bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(descriptor);
    if (is_free && claim_port(port)) return port;
  }
  throw std::runtime_error("no free port");
}

}  // namespace nucleus::tests
