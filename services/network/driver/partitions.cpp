#include "services/network/driver/partitions.hpp"

#include <fmt/format.h>

#include <charconv>

#include "messages/common.hpp"

namespace nucleus::network {

namespace {

// OpenSM reads its file in pieces of 4 KiB: a longer line is a syntax error.
constexpr std::size_t members_per_line = 16;
constexpr std::string_view heading =
    "# Written by the Nucleus network service, which replaces every other content.\n"
    "Default=0x7fff, ipoib : ALL=limited, SELF=full;\n";

std::optional<std::uint64_t> parse_hex(std::string_view digits) {
  std::uint64_t value = 0;
  const auto* const end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, value, 16);
  if (digits.empty() || read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return value;
}

/// Takes `prefix` from the front; false if it is not there.
bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<std::uint32_t> take_pkey(std::string_view& text) {
  const auto value = parse_hex(text.substr(0, 4));
  if (text.size() < 4 || !value || *value < pkey_first || *value > pkey_last) return std::nullopt;
  text.remove_prefix(4);
  return static_cast<std::uint32_t>(*value);
}

/// One line: `pkey-0101=0x0101 : 0x...=full, 0x...=full;`
bool take_line(std::string_view line, Partitions& partitions) {
  if (!take(line, "pkey-")) return false;
  const auto name = take_pkey(line);
  if (!name || !take(line, "=0x")) return false;
  const auto pkey = take_pkey(line);
  if (pkey != name || !take(line, " : ")) return false;
  for (std::size_t count = 0; count < members_per_line; ++count) {
    const auto guid = parse_guid(line.substr(0, 18));
    if (!guid || line.size() < 18) return false;
    line.remove_prefix(18);
    if (!take(line, "=full") || !partitions[*pkey].insert(*guid).second) return false;
    if (line == ";") return true;
    if (!take(line, ", ")) return false;
  }
  return false;
}

void add_excess(PortGuid guid, std::uint16_t entry, std::vector<PartitionFault>& faults) {
  const bool is_default = entry == default_full;
  faults.push_back({.guid = guid,
                    .reason = is_default
                                  ? "is a full member of the default partition"
                                  : "is in partition " + pkey_text(entry & ~full_member & 0xffffu) +
                                        ", which it was not given",
                    .is_excess = true});
}

}  // namespace

std::string guid_text(PortGuid guid) {
  return fmt::format("0x{:016x}", guid.value);
}

std::optional<PortGuid> parse_guid(std::string_view text) {
  if (!take(text, "0x") || text.size() > 16) return std::nullopt;
  const auto value = parse_hex(text);
  if (!value || *value == 0) return std::nullopt;
  return PortGuid{*value};
}

std::string pkey_text(std::uint32_t pkey) {
  return fmt::format("0x{:04x}", pkey);
}

core::Result<std::string> partitions_text(const Partitions& partitions) {
  std::string text(heading);
  std::size_t member_count = 0;
  for (const auto& [pkey, members] : partitions) {
    if (pkey < pkey_first || pkey > pkey_last)
      return core::refuse(core::ErrorCode::invalid_argument,
                          "pkey " + pkey_text(pkey) + " is not 0x0001 to 0x7ffe");
    member_count += members.size();
    std::size_t count = 0;
    for (const auto guid : members) {
      if (guid.value == 0) return core::refuse(core::ErrorCode::invalid_argument, "a GUID is 0");
      if (count % members_per_line == 0)
        text += fmt::format("{}pkey-{:04x}=0x{:04x} : ", count == 0 ? "" : ";\n", pkey, pkey);
      else
        text += ", ";
      text += guid_text(guid) + "=full";
      ++count;
    }
    if (count > 0) text += ";\n";
  }
  if (member_count > partition_members_max)
    return core::refuse(core::ErrorCode::invalid_argument, "more than 100000 members");
  return text;
}

core::Result<Partitions> parse_partitions(std::string_view text) {
  const auto whole = text;
  Partitions partitions;
  if (!take(text, heading))
    return core::refuse(core::ErrorCode::invalid_argument, "its heading is another");
  for (std::size_t number = 3; !text.empty(); ++number) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos || !take_line(text.substr(0, end), partitions))
      return core::refuse(core::ErrorCode::invalid_argument,
                          fmt::format("line {} is not of this service", number));
    text.remove_prefix(end + 1);
  }
  if (partitions_text(partitions) != whole)
    return core::refuse(core::ErrorCode::invalid_argument, "its form is not of this service");
  return partitions;
}

std::vector<PartitionFault> differences(const Partitions& wanted, const FabricReading& reading) {
  std::map<PortGuid, std::set<std::uint16_t>> entries;
  for (const auto& [pkey, members] : wanted)
    for (const auto guid : members)
      entries[guid].insert(static_cast<std::uint16_t>(pkey | full_member));
  std::vector<PartitionFault> faults;
  for (const auto& [guid, table] : reading.tables) {
    auto due = entries[guid];
    const bool is_manager = guid == reading.manager;
    due.insert(is_manager ? default_full : default_limited);
    for (const auto entry : table)
      if (!due.contains(entry)) add_excess(guid, entry, faults);
    for (const auto entry : due)
      if (!table.contains(entry))
        faults.push_back(
            {.guid = guid,
             .reason = "is not in partition " + pkey_text(entry & ~full_member & 0xffffu)});
  }
  return faults;
}

std::string shown(const PartitionFault& fault) {
  return "port " + guid_text(fault.guid) + " " + fault.reason;
}

}  // namespace nucleus::network
