// A page of usage as text for other programs: CSV, and the rows that Slurm's sacct prints. Pure.
#pragma once

#include <string>
#include <vector>

#include "gateway/json/json.hpp"
#include "messages/allocations.hpp"

namespace nucleus::gateway {

/// RFC 4180, but with line feeds.
std::string csv_line(std::vector<std::string> cells);
/// These fields of each entry, a line each. A text that a spreadsheet would take for a formula gets
/// a `'` before it.
std::string csv_lines(const Json& entries, const std::vector<std::string>& fields);

/// The names and the values of `sacct --parsable2`, in the order in which Open XDMoD's shredder of
/// Slurm's rows reads them. Times are UTC. No value contains `|` or a control character.
std::string sacct_header();
std::string sacct_line(const msg::UsageEntry& entry);

}  // namespace nucleus::gateway
