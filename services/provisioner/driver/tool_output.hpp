// Parses what measuring tools print. The text may come from a guest, so it is untrusted: every
// parser is bounded and throws nothing. Pure.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "messages/measurements.hpp"

namespace nucleus::provisioner {

constexpr std::size_t tool_output_bytes_max = 1 << 20;
constexpr std::size_t tool_figures_max = 4'096;

/// What a tool printed: finite numbers by name.
struct ToolOutput {
  std::map<std::string, double, std::less<>> figures = {};
  std::vector<msg::Rank> ranks = {};  // only of formats probe and pwx
  std::string program = {};           // the tool's own version; empty if it prints none
};

/// The names of the figures, by format:
/// - probe: the members of the JSON object.
/// - fio: JOB/MEMBER/…, such as random_read/read/iops. A job with an error is refused.
/// - osu: the message size, and the size's first column of values; `value` for a barrier.
/// - imb: BENCHMARK/BYTES/COLUMN, such as PingPong/8/t[usec]; without sizes BENCHMARK/COLUMN.
/// - hpcc: the keys of hpccoutf.txt. A run without Success=1 is refused.
/// - pwx: ROUTINE/cpu and ROUTINE/wall in seconds, such as PWSCF/wall; energy_ry. A run that did
///   not end is refused.
/// `internal`: there are no figures, or the run is refused.
core::Result<ToolOutput> parse_output(msg::OutputFormat format, std::string_view text);

/// The rows of `tool` in what it printed, without those that an older version does not print;
/// `internal` if all are missing or one is out of range.
core::Result<std::vector<msg::Sample>> samples_of(const msg::Tool& tool, const ToolOutput& output);

/// Ranks, program and links of what `nucleus-pingpong links` printed; `internal` if it is not a
/// complete run of as many ranks.
core::Result<msg::LinksRun> parse_links(std::string_view text, std::size_t ranks);

}  // namespace nucleus::provisioner
