// The serial consoles' logs, which QEMU appends to for as long as a domain runs: a guest decides
// how much it prints, so each log is shortened before it can fill the host's disk. Blocks.
#pragma once

#include <cstdint>
#include <string>

namespace nucleus::provisioner {

/// Cuts each *.log in `directory` that is longer than `bytes_max` down to its last quarter of that,
/// from the beginning of a line if there is one. Output of that moment may be lost.
void shorten_console_logs(const std::string& directory, std::int64_t bytes_max);

}  // namespace nucleus::provisioner
