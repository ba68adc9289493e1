#include "services/network/driver/port_rotation.hpp"

namespace nucleus::network {

std::vector<EndPort> PortRotation::due(const std::vector<EndPort>& ports) {
  std::map<PortGuid, EndPort> others;
  std::vector<EndPort> due;
  std::set<PortGuid> present;
  for (const auto& port : ports) {
    present.insert(port.guid);
    if (!tables_.contains(port.guid) || must_read_.contains(port.guid))
      due.push_back(port);
    else
      others.emplace(port.guid, port);
  }
  std::erase_if(tables_, [&](const auto& one) { return !present.contains(one.first); });
  for (std::size_t count = 0; count < ports_in_turn && !others.empty(); ++count) {
    auto next = others.upper_bound(last_);
    if (next == others.end()) next = others.begin();
    last_ = next->first;
    due.push_back(next->second);
    others.erase(next);
  }
  return due;
}

}  // namespace nucleus::network
