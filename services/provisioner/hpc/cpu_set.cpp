#include "services/provisioner/hpc/cpu_set.hpp"

#include <fmt/format.h>

#include <charconv>

namespace nucleus::provisioner {

namespace {

std::optional<std::uint32_t> parse_cpu(std::string_view text) {
  std::uint32_t cpu = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), cpu);
  if (fault != std::errc{} || end != text.data() + text.size() || cpu > cpu_id_max)
    return std::nullopt;
  return cpu;
}

bool add_range(CpuSet& cpus, std::string_view range) {
  const auto dash = range.find('-');
  const auto first = parse_cpu(range.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_cpu(range.substr(dash + 1));
  if (!first || !last || *last < *first) return false;
  for (std::uint32_t cpu = *first; cpu <= *last; ++cpu) cpus.insert(cpu);
  return true;
}

}  // namespace

std::optional<CpuSet> parse_cpu_set(std::string_view text) {
  CpuSet cpus;
  while (!text.empty()) {
    const auto comma = text.find(',');
    if (!add_range(cpus, text.substr(0, comma))) return std::nullopt;
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
    if (text.empty()) return std::nullopt;
  }
  return cpus;
}

std::string shown_cpu_set(const CpuSet& cpus) {
  std::string shown;
  for (auto cpu = cpus.begin(); cpu != cpus.end();) {
    const auto first = *cpu;
    auto last = first;
    while (++cpu != cpus.end() && *cpu == last + 1) ++last;
    if (!shown.empty()) shown += ',';
    shown += first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
  }
  return shown;
}

}  // namespace nucleus::provisioner
