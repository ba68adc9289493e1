// What `burst` does to nodes that a batch system wants on or off. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/api/json.hpp"

namespace nucleus::client {

using Names = std::vector<std::string>;

struct ResumePlan {
  Names start = {};     // in no computeset
  Names power_on = {};  // off, in a computeset that runs
  Names stopping = {};  // cannot be started before they are off
  Names unknown = {};   // not a compute of the cluster
};
/// `cluster` as v2 has it. Nodes that run, start or wait are in no list.
ResumePlan plan_resume(const Json& cluster, const Names& names);

struct SuspendPlan {
  std::map<std::string, Names> end = {};     // all nodes of each of these computesets
  std::map<std::string, Names> remove = {};  // some nodes of each of these computesets
  Names unknown = {};
};
/// Nodes that are in no computeset, or stop already, are in no list.
SuspendPlan plan_suspend(const Json& cluster, const Names& names);

}  // namespace nucleus::client
