// Whether the other end of a unix socket is there: a connect succeeds as soon as it stands in the
// listener's queue, and QEMU takes nobody out of it while its serial console has a client.
#pragma once

#include <optional>

namespace nucleus::console {

/// Whether the listener has accepted this connection; nothing where the kernel does not tell.
std::optional<bool> is_accepted(int descriptor);

}  // namespace nucleus::console
