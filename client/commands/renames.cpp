#include "client/commands/renames.hpp"

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
      return core::refuse(ErrorCode::not_found, "no such node: " + msg::shown(name));
  for (const auto& name : after)
    if (unchanged.contains(name))
      return core::refuse(ErrorCode::wrong_state, "node " + name + " already exists");

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
    // The rest are cycles: one node of a cycle gets a temporary name.
    std::string temporary = waiting.front().first + "-renamed";
    while (taken.contains(temporary)) temporary += "-";
    step(waiting.front().first, temporary);
    waiting.front().first = temporary;
  }
  return plan;
}

}  // namespace nucleus::client
