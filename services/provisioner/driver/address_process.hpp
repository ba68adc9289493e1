// The process of dnsmasq that serves a cluster: see AddressServers. Blocks.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "core/result.hpp"

namespace nucleus::provisioner {

/// The pid of the directory's process; 0 if it does not run. It is known by its pid, and by the
/// directory, which it alone has at `address_files`.
pid_t find_address_process(const std::string& directory);

/// Whether its network namespace has this interface.
bool has_interface(pid_t pid, const std::string& device);

/// Starts dnsmasq with the directory's file `options`. Its network namespace is a new one, which
/// `connect` gives an interface before dnsmasq begins; if that fails, or this process ends first,
/// so does the new one. Returns when dnsmasq takes requests.
core::Result<void> start_address_process(const std::string& directory,
                                         const std::function<core::Result<void>(pid_t)>& connect);

/// Lets it read its hosts and names again.
void reload_address_process(const std::string& directory);

/// Ends it at once; nothing if it does not run.
void stop_address_process(const std::string& directory);

/// Shortens its log, to which guests can add lines.
void shorten_address_log(const std::string& directory);

}  // namespace nucleus::provisioner
