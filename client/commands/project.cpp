// allocation and acknowledgement: what a project needs before its nodes may run.
#include <iostream>
#include <sstream>

#include "client/commands/commands.hpp"
#include "client/http/url.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

/// An error that says what was not found.
core::Error named(core::Error error, const std::string& what, const std::string& name) {
  if (error.code == ErrorCode::not_found)
    error.detail = "no such " + what + ": " + msg::shown(name);
  return error;
}

}  // namespace

core::Result<int> show_allocation(const Api& api, const Words& words) {
  const std::string path = "/v2/clusters/" + encoded(words["CLUSTER"]);
  if (!words.has("NAMES")) {
    const auto cluster = api.get(path + "?fields=allocations");
    if (!cluster) return std::unexpected(named(cluster.error(), "cluster", words["CLUSTER"]));
    for (const auto& name : (*cluster)["allocations"].items()) std::cout << name.text() << "\n";
    return 0;
  }
  Json names = Json::list();
  std::istringstream list(words["NAMES"]);
  for (std::string name; std::getline(list, name, ',');)
    if (!name.empty()) names.add(name);
  if (names.items().empty())
    return core::refuse(ErrorCode::invalid_argument, "NAMES names no allocation");
  if (const auto known = get_cluster(api, words["CLUSTER"]); !known)
    return std::unexpected(known.error());
  const auto done = api.send("PATCH", path, Json::object({{"allocations", names}}));
  if (!done) return std::unexpected(named(done.error(), "allocation", words["NAMES"]));
  return 0;
}

core::Result<int> acknowledge(const Api& api, const Words& words) {
  const std::string path = "/v2/projects/" + encoded(words["PROJECT"]) + "/acknowledgements";
  const auto status = api.get(path);
  if (!status) return std::unexpected(named(status.error(), "project", words["PROJECT"]));
  const auto& text = (*status)["text"];
  std::cout << text["text"].text() << "\n";
  if (!words.has("--sign")) {
    if (const auto& missing = (*status)["missing"].text(); !missing.empty())
      std::cout << "not signed by " << missing << "; to sign: comet acknowledgement "
                << words["PROJECT"] << " --sign\n";
    return 0;
  }
  if (!is_confirmed("Sign?")) return 1;
  const auto version = text["version"].number().value_or(0);
  const auto done = api.post(path, Json::object({{"version", version}}));
  if (!done) return std::unexpected(done.error());
  std::cout << "signed\n";
  return 0;
}

}  // namespace nucleus::client
