// Whether a unix socket's connection was accepted. A connect succeeds as soon as it is in the
// listener's backlog, and QEMU accepts no other while its serial console has a client.
#pragma once

#include <optional>

namespace nucleus::provisioner {

/// Whether the listener has accepted this connection; nothing if the kernel does not say.
std::optional<bool> is_accepted(int descriptor);

}  // namespace nucleus::provisioner
