#include "services/overhead/config.hpp"

#include <ranges>

namespace nucleus::overhead {

namespace {

constexpr double per_thousand = 1'000;

core::Result<std::vector<std::string>> tools_in(const std::string& list) {
  std::vector<std::string> names;
  for (const auto part : std::views::split(list, ','))
    names.emplace_back(std::string_view(part.begin(), part.end()));
  for (const auto& name : names)
    if (!msg::find_tool(name))
      return std::unexpected(
          msg::invalid("overhead.tools", "overhead.tools: no such tool: " + msg::shown(name)));
  return names;
}

}  // namespace

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  config.probe_deadline = core::Milliseconds{settings.number(
      "overhead.probe_deadline_ms", config.probe_deadline.count(), 1'000, 3'600'000)};
  auto& limits = config.limits;
  const auto pairs = static_cast<std::size_t>(settings.number("overhead.pairs_max", 64, 2, 1'000));
  limits.pairs_max = pairs + pairs % 2;  // a block has two
  const auto ratio = [&](const char* key, std::int64_t fallback) {
    return static_cast<double>(settings.number(key, fallback, 1, 1'000'000)) / per_thousand;
  };
  limits.latency_ratio_max = ratio("overhead.latency_ratio_max_permille", 1'320);
  limits.bandwidth_ratio_min = 1 / ratio("overhead.bandwidth_factor_max_permille", 1'210);
  limits.application_ratio_max = ratio("overhead.application_ratio_max_permille", 1'080);
  config.measure_s_max =
      settings.number("overhead.measure_s_max", config.measure_s_max, 1, msg::measure_seconds_max);
  config.slow_link_permille = static_cast<std::uint32_t>(
      settings.number("overhead.slow_link_permille", config.slow_link_permille, 1'001, 1'000'000));
  config.check_start = std::chrono::seconds(settings.number("overhead.check_start_s", 0, 0, 3'600));
  config.certificates_max =
      static_cast<std::size_t>(settings.number("overhead.certificates_max", 20, 1, 100));
  std::string usual;
  for (const auto& tool : msg::tools)
    if (!tool.is_optional) usual += (usual.empty() ? "" : ",") + std::string(tool.name);
  auto tools = tools_in(settings.text("overhead.tools", usual));
  if (!tools) return std::unexpected(tools.error());
  config.tools = std::move(*tools);
  config.signing_key_file = settings.text("overhead.signing_key_file", "");
  return config;
}

}  // namespace nucleus::overhead
