#include "services/provisioner/driver/own_address.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string_view>

#include "core/config/endpoint.hpp"

namespace nucleus::provisioner {

std::string own_address(const std::string& bus_url) {
  constexpr std::string_view scheme = "tcp://";
  if (!bus_url.starts_with(scheme)) return {};
  const auto endpoint = core::parse_endpoint(bus_url.substr(scheme.size()));
  if (!endpoint) return {};
  addrinfo numeric{};
  numeric.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  numeric.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(endpoint->address.c_str(), std::to_string(endpoint->port).c_str(), &numeric,
                  &found) != 0)
    return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> head(found, freeaddrinfo);
  const int descriptor = socket(head->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  std::array<char, NI_MAXHOST> text{};
  // Connecting a datagram socket only chooses the route.
  const bool is_known = connect(descriptor, head->ai_addr, head->ai_addrlen) == 0 &&
                        getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
                        getnameinfo(reinterpret_cast<sockaddr*>(&own), size, text.data(),
                                    text.size(), nullptr, 0, NI_NUMERICHOST) == 0;
  close(descriptor);
  return is_known ? text.data() : "";
}

}  // namespace nucleus::provisioner
