// The ports of a deployment's processes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/files/descriptor.hpp"
#include "operator/deployment.hpp"

namespace nucleus::operator_ {

/// The ports that a command has chosen. While it lives, no other command on this machine chooses
/// them: their processes have not bound them yet.
class PortClaims {
 public:
  /// False: another command has it.
  bool take(std::uint16_t port);

 private:
  std::map<std::uint16_t, core::Descriptor> held_ = {};
};

/// `--port`: PURPOSE=PORT.
core::Result<void> parse_port(const std::string& text, Deployment& deployment);

/// Chooses a port for each purpose that has none or whose port another program uses by now; refuses
/// a fixed one that is in use. The bus's address must exist. Keep the claims until the processes
/// listen.
core::Result<void> choose_ports(Deployment& deployment, PortClaims& claims);

}  // namespace nucleus::operator_
