// The process that serves the base of a node's disk to its domain: nbdkit, which reads it from the
// image store. It outlives the provisioner, and ends by itself when QEMU disconnects. Blocks.
#pragma once

#include <string>

#include "core/result.hpp"
#include "services/provisioner/driver/hypervisor.hpp"
#include "services/provisioner/volume_plan.hpp"

namespace nucleus::provisioner {

/// Whether the volume's server runs. It is known by its pid and its working directory, so that a
/// reused pid is never taken for it.
bool is_base_served(const std::string& volume_directory);

/// Where the server reads the base.
enum class BaseSource : std::uint8_t {
  store,  // the image store
  host,   // this host's chunks, at `chunk_socket`
};

/// Starts the server, which must not run. QEMU of `user` alone may connect. `ca_file` verifies the
/// image store.
core::Result<void> start_base_server(const HostVolume& volume, const std::string& ca_file,
                                     const QemuUser& user, BaseSource source = BaseSource::store);

/// A listening unix socket, to which only `user` may connect; -1, with `errno`, if that fails.
int listen_at(const std::string& path, const QemuUser& user);

/// Ends it at once; nothing if it does not run.
void stop_base_server(const std::string& volume_directory);

/// Shortens its log.
void shorten_base_log(const std::string& volume_directory);

}  // namespace nucleus::provisioner
