// Sets of CPUs as Linux and libvirt write them: 0-3,8. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace nucleus::provisioner {

using CpuSet = std::set<std::uint32_t>;

inline constexpr std::uint32_t cpu_id_max = 65'535;

/// Nothing if the text is not a list of CPUs up to cpu_id_max. The empty text is the empty set.
std::optional<CpuSet> parse_cpu_set(std::string_view text);

std::string shown_cpu_set(const CpuSet& cpus);

}  // namespace nucleus::provisioner
