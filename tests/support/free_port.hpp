// Ports of the loopback address for the servers of tests.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>

#include "core/files/claim.hpp"

namespace nucleus::tests {

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
    // The name that `free_port` in tests/e2e/conftest.py takes, too.
    if (is_free && core::claim_name("nucleus-test-port-" + std::to_string(port)) >= 0) return port;
  }
  throw std::runtime_error("no free port");
}

}  // namespace nucleus::tests
