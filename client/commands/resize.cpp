// grow and shrink.
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/http/url.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

/// `not_found` names the computeset.
core::Result<Json> post_to_set(const Api& api, const std::string& id, const std::string& path,
                               const Json& body) {
  auto answer = api.post("/v2/computesets/" + encoded(id) + path, body);
  if (!answer && answer.error().code == ErrorCode::not_found)
    return core::refuse(ErrorCode::not_found, "no such computeset: " + msg::shown(id));
  return answer;
}

std::string node_count_text(const Json& set) {
  const auto count = set["nodes"].items().size();
  return std::to_string(count) + (count == 1 ? " node" : " nodes");
}

}  // namespace

core::Result<int> grow_set(const Api& api, const Words& words) {
  const auto id = words["ID"];
  const auto nodes = words["NODES"];
  const auto count = words.number("--count");
  if (nodes.empty() == (count == 0))
    return core::refuse(ErrorCode::invalid_argument, "give either NODES or --count");
  auto body = Json::object({});
  if (count) body.set("count", count);
  if (!nodes.empty()) {
    const auto names = names_in(nodes);
    if (!names) return std::unexpected(names.error());
    body.set("names", list_of(*names));
  }
  if (words.has("--plan")) body.set("plan", Json::parse("true").value());
  const auto answer = post_to_set(api, id, "/nodes", body);
  if (!answer) return std::unexpected(answer.error());
  if (words.has("--plan"))
    print_start_plan(*answer);
  else
    std::cout << "Computeset " << id << " has " << node_count_text(*answer) << "." << std::endl;
  return 0;
}

core::Result<int> shrink_set(const Api& api, const Words& words) {
  const auto id = words["ID"];
  const auto names = names_in(words["NODES"]);
  if (!names) return std::unexpected(names.error());
  const auto answer =
      post_to_set(api, id, "/nodes/remove",
                  Json::object({{"names", list_of(*names)},
                                {"action", words.has("--poweroff") ? "off" : "shutdown"}}));
  if (!answer) return std::unexpected(answer.error());
  const bool is_ending = (*answer)["state"].text() == "ending";
  std::cout << (is_ending ? "Computeset " + id + " ends: all its nodes were removed."
                          : "These nodes leave computeset " + id + " when they are off.")
            << std::endl;
  return 0;
}

}  // namespace nucleus::client
