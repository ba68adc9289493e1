// Which ports of a fabric are read in one turn: those that must be, and some of the others in turn,
// since each takes a process. Pure.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "services/network/driver/fabric_tools.hpp"

namespace nucleus::network {

constexpr std::size_t ports_in_turn = 64;

class PortRotation {
 public:
  /// The ports to read: all that have no table yet or that `must_read` names, and the next
  /// `ports_in_turn` of the others. Forgets the tables of ports that are not on the fabric.
  std::vector<EndPort> due(const std::vector<EndPort>& ports);
  void take(PortGuid guid, std::set<std::uint16_t> table) { tables_[guid] = std::move(table); }
  /// The newest table of each port.
  const std::map<PortGuid, std::set<std::uint16_t>>& tables() const { return tables_; }

  /// These must be read in the next turn, whatever is known of them.
  void must_read(std::set<PortGuid> ports) { must_read_ = std::move(ports); }
  void must_also_read(const std::set<PortGuid>& ports) {
    must_read_.insert(ports.begin(), ports.end());
  }
  void must_read_all() { tables_.clear(); }

 private:
  std::map<PortGuid, std::set<std::uint16_t>> tables_ = {};
  std::set<PortGuid> must_read_ = {};
  PortGuid last_ = {};  // that was read in turn
};

}  // namespace nucleus::network
