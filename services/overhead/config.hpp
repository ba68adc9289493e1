// The overhead service's settings.
#pragma once

#include "core/config/settings.hpp"
#include "core/loop/loop.hpp"
#include "services/overhead/campaign.hpp"

namespace nucleus::overhead {

struct Config {
  core::Milliseconds probe_deadline{180'000};  // for one run; about 10 s under TCG
  Limits limits = {};
  std::int64_t measure_s_max = 1'800;        // no new runs after this long
  std::uint32_t slow_link_permille = 1'500;  // of the median of all links
  core::Milliseconds check_start{0};         // how long links may be checked after a start; 0 = not
  std::size_t certificates_max = 20;         // kept of each cluster
  std::vector<std::string> tools = {};       // that are measured, in turns
  std::string signing_key_file = {};         // empty = certificates are not signed

  /// Reads `overhead.*`; `settings.finish` reports a value out of range.
  static core::Result<Config> from(core::Settings& settings);
};

}  // namespace nucleus::overhead
