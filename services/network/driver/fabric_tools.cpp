#include "services/network/driver/fabric_tools.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/text/lines.hpp"

namespace nucleus::network {

namespace {

constexpr std::size_t words_max = 12;  // of a line; the rest is not needed
constexpr std::size_t option_lines_max = 10'000;

std::optional<std::uint32_t> number_of(std::string_view word, int base = 10) {
  std::uint32_t value = 0;
  const auto* const end = word.data() + word.size();
  const auto read = std::from_chars(word.data(), end, value, base);
  if (word.empty() || read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return value;
}

std::unexpected<core::Error> not_read(const char* what) {
  return core::refuse(core::ErrorCode::unavailable, std::string(what));
}

/// Unless it is a number other than 0.
bool is_zero(std::string_view value) {
  return value.find_first_not_of("0x") == std::string_view::npos;
}

}  // namespace

core::Result<std::vector<EndPort>> parse_ports(std::string_view output) {
  std::vector<EndPort> ports;
  while (!output.empty()) {
    // CA     7  1 0x0002c90300000051 4x SDR - SW     2  6 0x0000000000200000 ( 'h6' - 'Sw1' )
    const auto words = core::words_of(core::take_until(output, '\n'), words_max);
    if (words.size() < 7 || words[0] != "CA" || words[6] != "-") continue;
    const auto lid = number_of(words[1]);
    const auto number = number_of(words[2]);
    const auto guid = parse_guid(words[3]);
    if (!lid || !number || !guid || *lid > fabric_lid_max || *number < 1 || *number > 254)
      return not_read("ibnetdiscover printed a port that cannot be read");
    if (*lid == 0) continue;  // the subnet manager has not configured it yet
    if (ports.size() == fabric_ports_max)
      return not_read("the fabric has more than 20000 ports of hosts");
    ports.push_back({.guid = *guid, .lid = *lid, .number = *number});
  }
  return ports;
}

core::Result<std::set<std::uint16_t>> parse_pkey_table(std::string_view output) {
  std::set<std::uint16_t> entries;
  bool has_block = false;
  while (!output.empty()) {
    //    0: 0x7fff 0x8001 0x0000 0x0000 0x0000 0x0000 0x0000 0x0000
    const auto words = core::words_of(core::take_until(output, '\n'), words_max);
    if (words.empty() || !words[0].ends_with(':')) continue;
    if (!number_of(words[0].substr(0, words[0].size() - 1))) continue;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const auto entry =
          words[i].starts_with("0x") ? number_of(words[i].substr(2), 16) : std::nullopt;
      if (!entry || *entry > 0xffff) return not_read("smpquery printed a pkey that cannot be read");
      if (*entry != 0) entries.insert(static_cast<std::uint16_t>(*entry));
      has_block = true;
    }
  }
  if (!has_block) return not_read("smpquery printed no pkeys");
  return entries;
}

core::Result<PortGuid> parse_manager(std::string_view output) {
  // sminfo: sm lid 1 sm guid 0x2c90300000001, activity count 118 priority 0 state 3 SMINFO_MASTER
  const auto at = output.find("sm guid ");
  if (at == std::string_view::npos) return not_read("sminfo printed no subnet manager");
  auto rest = output.substr(at + 8);
  const auto guid = parse_guid(rest.substr(0, rest.find(',')));
  if (!guid) return not_read("sminfo printed a GUID that cannot be read");
  if (rest.find("SMINFO_MASTER") == std::string_view::npos)
    return not_read("the fabric has no master subnet manager");
  return *guid;
}

std::vector<std::string> unsafe_options(std::string_view options,
                                        const std::string& partitions_file) {
  std::map<std::string_view, std::string_view> values;
  for (std::size_t count = 0; !options.empty() && count < option_lines_max; ++count) {
    const auto words = core::words_of(core::take_until(options, '\n'), words_max);
    if (words.size() >= 2 && !words[0].starts_with('#')) values[words[0]] = words[1];
  }
  const auto value_or = [&](std::string_view name, std::string_view otherwise) {
    const auto found = values.find(name);
    return found == values.end() ? otherwise : found->second;
  };
  std::vector<std::string> found;
  if (is_zero(value_or("m_key", "0")) || is_zero(value_or("m_key_protection_level", "0")))
    found.emplace_back(
        "m_key and m_key_protection_level are not set: root of a host can change the pkeys of any "
        "port");
  if (is_zero(value_or("sm_key", "0x1").substr(0, 17)) ||
      value_or("sm_key", "0x1").find_first_not_of("0x1") == std::string_view::npos)
    found.emplace_back("sm_key has its default: another subnet manager can become the master");
  if (value_or("part_enforce", "both") != "both" ||
      value_or("no_partition_enforcement", "FALSE") != "FALSE")
    found.emplace_back("part_enforce is not both: switches let packets of other partitions pass");
  if (value_or("allow_both_pkeys", "FALSE") != "FALSE")
    found.emplace_back("allow_both_pkeys is set: a port may be a full and a limited member");
  if (const auto file = value_or("partition_config_file", partitions_file); file != partitions_file)
    found.push_back("partition_config_file is " + std::string(file.substr(0, 200)) + ", not " +
                    partitions_file);
  return found;
}

}  // namespace nucleus::network
