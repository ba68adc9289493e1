#include "operator/ports.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <random>

#include "core/config/endpoint.hpp"
#include "core/files/claim.hpp"
#include "operator/services.hpp"
#include "operator/slurm.hpp"

namespace nucleus::operator_ {

namespace {

// Below the range of ephemeral ports.
constexpr int port_first = 20'000;
constexpr int port_last = 32'000;
constexpr int port_attempts_max = 1'000;

/// What needs a port besides the gateway, which has its own option, and on which address.
std::map<std::string, std::string> port_purposes(const Options& options) {
  std::map<std::string, std::string> purposes{{"console", console_address(options)},
                                              {"uploads", options.listen_address}};
  for (const char* purpose : {"requests", "events", "console_hosts", "image_store"})
    purposes[purpose] = options.bus_address;
  for (const auto& service : services) purposes[metrics_port(service.name)] = "127.0.0.1";
  if (options.has_slurm) {
    purposes[slurm_port("slurmctld")] = "127.0.0.1";
    for (const auto& node : slurm_nodes(options)) purposes[slurm_port(node)] = "127.0.0.1";
  }
  return purposes;
}

bool is_free(const std::string& address, std::uint16_t port) {
  const core::Descriptor probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(probe.number(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  inet_pton(AF_INET, address.c_str(), &where.sin_addr);
  return bind(probe.number(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0;
}

bool is_taken(const Deployment& deployment, std::uint16_t port) {
  return port == deployment.options.listen_port ||
         std::ranges::any_of(deployment.ports,
                             [port](const auto& entry) { return entry.second == port; });
}

/// A port that is free and not chosen for another purpose of this deployment.
std::optional<std::uint16_t> free_port(const Deployment& deployment, const std::string& address,
                                       PortClaims& claims) {
  std::random_device device;
  std::uniform_int_distribution<int> any(port_first, port_last);
  for (int attempt = 0; attempt < port_attempts_max; ++attempt) {
    const auto port = static_cast<std::uint16_t>(any(device));
    if (!is_taken(deployment, port) && is_free(address, port) && claims.take(port)) return port;
  }
  return std::nullopt;
}

}  // namespace

bool PortClaims::take(std::uint16_t port) {
  if (held_.contains(port)) return true;
  const auto [claim, is_new] =
      held_.try_emplace(port, core::claim_name(fmt::format("nucleus-port-{}", port)));
  if (claim->second.is_open()) return true;
  held_.erase(claim);
  return false;
}

core::Result<void> parse_port(const std::string& text, Deployment& deployment) {
  const auto equals = std::min(text.find('='), text.size());
  const auto purpose = text.substr(0, equals);
  const auto purposes = port_purposes(deployment.options);
  const auto endpoint =
      core::parse_endpoint("127.0.0.1:" + text.substr(std::min(equals + 1, text.size())));
  if (!purposes.contains(purpose) || !endpoint || endpoint->port == 0)
    return core::refuse(
        core::ErrorCode::invalid_argument,
        "--port must be PURPOSE=PORT, with a purpose of the ports in deployment.yaml, for example "
        "requests=5570",
        "port");
  deployment.options.fixed_ports[purpose] = endpoint->port;
  return {};
}

core::Result<void> choose_ports(Deployment& deployment, PortClaims& claims) {
  auto& options = deployment.options;
  const auto none_free = [] {
    return core::refuse(core::ErrorCode::unavailable, "no free port on the loopback address");
  };
  if (options.listen_port == 0) {
    const auto port = free_port(deployment, options.listen_address, claims);
    if (!port) return none_free();
    options.listen_port = *port;
  } else if (!is_free(options.listen_address, options.listen_port) ||
             !claims.take(options.listen_port)) {
    return core::refuse(
        core::ErrorCode::unavailable,
        options.listen_address + ":" + std::to_string(options.listen_port) +
            " is in use or not an address of this machine; use --listen ADDRESS:PORT",
        "listen");
  }
  for (const auto& [purpose, port] : options.fixed_ports) deployment.ports[purpose] = 0;
  for (const auto& [purpose, port] : options.fixed_ports) {
    if (is_taken(deployment, port) || !is_free(port_purposes(options)[purpose], port) ||
        !claims.take(port))
      return core::refuse(
          core::ErrorCode::unavailable,
          fmt::format("port {} of {} is in use; use --port {}=PORT", port, purpose, purpose),
          "port");
    deployment.ports[purpose] = port;
  }
  for (const auto& [purpose, address] : port_purposes(options)) {
    if (options.fixed_ports.contains(purpose)) continue;
    auto& port = deployment.ports[purpose];
    if (port != 0 && is_free(address, port) && claims.take(port)) continue;
    const auto fresh = free_port(deployment, address, claims);
    if (!fresh) return none_free();
    port = *fresh;
  }
  return {};
}

}  // namespace nucleus::operator_
