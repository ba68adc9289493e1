#include "client/renames.hpp"

#include <algorithm>
#include <set>

namespace nucleus::client {

using core::ErrorCode;

core::Result<Renames> plan_renames(const std::vector<std::string>& existing,
                                   const std::vector<std::string>& before,
                                   const std::vector<std::string>& after) {
  if (before.empty() || before.size() != after.size())
    return core::refuse(ErrorCode::invalid_argument, "both lists must have the same length");
  std::set<std::string> taken(existing.begin(), existing.end());
  std::set<std::string> unchanged = taken;
  for (const auto& name : before)
    if (unchanged.erase(name) == 0)
      return core::refuse(ErrorCode::not_found, "there is no node " + msg::shown(name));
  for (const auto& name : after)
    if (unchanged.contains(name))
      return core::refuse(ErrorCode::wrong_state, "node " + name + " is there already");

  Renames waiting;
  for (std::size_t i = 0; i < before.size(); ++i)
    if (before[i] != after[i]) waiting.emplace_back(before[i], after[i]);
  Renames plan;
  const auto step = [&](const std::string& from, const std::string& to) {
    plan.emplace_back(from, to);
    taken.erase(from);
    taken.insert(to);
  };
  while (!waiting.empty()) {
    const auto next = std::ranges::find_if(
        waiting, [&](const auto& rename) { return !taken.contains(rename.second); });
    if (next != waiting.end()) {
      step(next->first, next->second);
      waiting.erase(next);
      continue;
    }
    // Each waits for another's name: the first steps aside.
    std::string aside = waiting.front().first + "-renamed";
    while (taken.contains(aside)) aside += "-";
    step(waiting.front().first, aside);
    waiting.front().first = aside;
  }
  return plan;
}

}  // namespace nucleus::client
