// The serial consoles' logs, which QEMU appends to for as long as a domain runs: a guest decides
// how much it prints, so each log is shortened before it can fill the host's disk. Blocks.
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace nucleus::provisioner {

/// Cuts each *.log in `directory` that is longer than `bytes_max` down to its last quarter of that,
/// from the beginning of a line if there is one. Output of that moment may be lost.
void shorten_console_logs(const std::string& directory, std::int64_t bytes_max);

/// Removes the logs of all domains but these, so that the log of a removed node goes with it. A log
/// that was written to within a minute stays: its domain may have been started meanwhile.
void remove_console_logs(const std::string& directory, const std::set<std::string>& domains_kept);

}  // namespace nucleus::provisioner
