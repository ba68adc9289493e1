// The address by which this host reaches the head.
#pragma once

#include <string>

namespace nucleus::provisioner {

/// The local address of a connection to `bus_url` (tcp://ADDRESS:PORT with a numeric address);
/// empty for other URLs, or without a route. Sends nothing.
std::string own_address(const std::string& bus_url);

}  // namespace nucleus::provisioner
