// Bounds the logs of a state directory, to which processes append as long as they run.
#pragma once

#include <cstdint>
#include <string>

namespace nucleus::operator_ {

constexpr std::uint64_t log_bytes_max = 64ULL << 20;

/// Moves what each NAME.log in the directory has, if that is over `bytes_max`, to NAME.log.1, in
/// place of what is there. Processes go on with the file that they have open, which is empty then;
/// a line that is written at this moment may be lost. A log that cannot be copied is left alone.
void limit_logs(const std::string& directory, std::uint64_t bytes_max);

}  // namespace nucleus::operator_
