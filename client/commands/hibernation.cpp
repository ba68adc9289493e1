// hibernate and resume.
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/commands/waiting.hpp"
#include "client/http/url.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

core::Result<void> send_change(const Api& api, const std::string& id, const char* action,
                               const Json& body) {
  const auto changed = api.post("/v2/computesets/" + encoded(id) + "/" + action, body);
  if (!changed && changed.error().code == ErrorCode::not_found)
    return core::refuse(ErrorCode::not_found, "no such computeset: " + msg::shown(id));
  if (!changed) return std::unexpected(changed.error());
  return {};
}

LookAt look_at_hibernation(const Api& api, const std::string& id) {
  return [&api, id]() -> core::Result<Progress> {
    const auto set = api.get("/v2/computesets/" + encoded(id) + "?fields=computeset_id,state");
    if (!set) return std::unexpected(set.error());
    const auto state = (*set)["state"].text();
    return Progress{.line = "computeset " + id + ": " + state,
                    .is_done = state == "hibernated",
                    .is_failed = state != "hibernated" && state != "hibernating"};
  };
}

}  // namespace

core::Result<int> hibernate_set(const Api& api, const Words& words) {
  const auto wait = wait_option(words);
  if (!wait) return std::unexpected(wait.error());
  const auto id = words["ID"];
  if (words.has("--plan"))
    return show_plan(api, "POST", "/v2/computesets/" + encoded(id) + "/hibernate",
                     Json::object({}));
  if (auto done = send_change(api, id, "hibernate", Json::object({})); !done)
    return std::unexpected(done.error());
  std::cout << "The memory of the nodes of computeset " << id
            << " is being saved. To start it again:\ncomet resume " << id << std::endl;
  return wait->is_wanted ? wait_until_done(api, *wait, look_at_hibernation(api, id)) : 0;
}

core::Result<int> resume_set(const Api& api, const Words& words) {
  const auto wait = wait_option(words);
  if (!wait) return std::unexpected(wait.error());
  const auto id = words["ID"];
  auto body = Json::object({});
  if (words.has("--boot")) body.set("discards_memory", Json::boolean(true));
  if (words.has("--plan"))
    return show_plan(api, "POST", "/v2/computesets/" + encoded(id) + "/resume", std::move(body));
  if (auto done = send_change(api, id, "resume", body); !done) return std::unexpected(done.error());
  std::cout << "Request accepted! Check status with:\ncomet computeset " << id << std::endl;
  return wait->is_wanted ? wait_until_done(api, *wait, look_at_set(api, id, true)) : 0;
}

}  // namespace nucleus::client
