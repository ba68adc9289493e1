// nucleus fabric: list.
#include <fmt/format.h>

#include <iostream>

#include "messages/fabric_states.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"

namespace nucleus::operator_ {

namespace {

struct FabricArguments {
  std::string state = {};
};

core::Result<int> list_fabrics(const FabricArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto listed = (*opened)->call(msg::ListFabrics{});
  if (!listed) return std::unexpected(listed.error());
  std::cout << fmt::format("{:<16}{:<11}{:>7}{:>12}{:>8}{:>13}  {}\n", "fabric", "state", "ports",
                           "pkeys free", "leased", "quarantined", "reason");
  for (const auto& fabric : listed->fabrics) {
    std::cout << fmt::format("{:<16}{:<11}{:>7}{:>12}{:>8}{:>13}  {}\n", fabric.name,
                             msg::name_of(fabric.state), fabric.port_count, fabric.pkeys_free,
                             fabric.pkeys_leased, fabric.pkeys_quarantined, fabric.reason);
    for (const auto& fault : fabric.faults) std::cout << "  " << fault << "\n";
    for (const auto& warning : fabric.warnings) std::cout << "  not safe: " << warning << "\n";
  }
  return 0;
}

}  // namespace

void add_fabric(Commands& commands) {
  auto group = commands.group("fabric", "InfiniBand fabrics");
  group.add<FabricArguments>(
      "list", "list the fabrics, what differs from their partitions, and the pkeys left",
      list_fabrics,
      [](CommandOptions& options, FabricArguments& arguments) { options.state(arguments.state); });
}

}  // namespace nucleus::operator_
