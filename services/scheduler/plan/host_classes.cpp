#include "services/scheduler/plan/host_classes.hpp"

#include <algorithm>

#include "services/scheduler/plan/finish.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;

namespace {

std::unexpected<core::Error> no_such_class(const std::string& name, const char* field) {
  return core::refuse(ErrorCode::not_found, "no such host class: " + msg::shown(name), field);
}

std::unexpected<core::Error> is_used(const std::string& name, const std::string& by) {
  return core::refuse(ErrorCode::wrong_state, "host class " + name + " is used by " + by, "name");
}

/// What was started for one class does not run on hosts of another.
core::Result<void> check_nodes(const View& view, const msg::HostId& id, const std::string& name) {
  for (const auto& node_id : view.nodes_on(id)) {
    const auto* stored = view.computeset(view.node(node_id)->computeset_id);
    if (stored && stored->computeset.host_class != name)
      return core::refuse(ErrorCode::wrong_state,
                          "host " + id.value + " runs nodes of computeset " +
                              std::to_string(stored->computeset.computeset_id) +
                              ", which is for class " + stored->computeset.host_class,
                          "host_class");
  }
  return {};
}

}  // namespace

msg::HostClass class_shown(const View& view, const std::string& name, const msg::Price& price) {
  const auto count = std::ranges::count_if(
      view.hosts(), [&](const auto& host) { return host.second.host_class == name; });
  return {.name = name, .price = price, .host_count = static_cast<std::uint32_t>(count)};
}

core::Result<Plan> plan_host_class(const View& view, const msg::DefineHostClass& request,
                                   std::int64_t now_unix_ms) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  Draft draft{view, now_unix_ms};
  draft.changes().host_classes[request.name] =
      StoredHostClass{.name = request.name, .price = request.price};
  return finish(draft);
}

core::Result<Plan> plan_remove_host_class(const View& view, const msg::RemoveHostClass& request,
                                          std::int64_t now_unix_ms) {
  const auto& name = request.name;
  if (name == msg::host_class_default)
    return core::refuse(ErrorCode::wrong_state, "class default cannot be removed", "name");
  if (!view.host_class(name)) return no_such_class(name, "name");
  for (const auto& [id, host] : view.hosts())
    if (host.host_class == name) return is_used(name, "host " + id.value);
  for (const auto& [id, stored] : view.computesets())
    if (stored.computeset.host_class == name)
      return is_used(name, "computeset " + std::to_string(id));
  Draft draft{view, now_unix_ms};
  draft.changes().host_classes[name].reset();
  return finish(draft);
}

core::Result<Plan> plan_classify_host(const View& view, const msg::ClassifyHost& request,
                                      std::int64_t now_unix_ms) {
  const auto& id = request.host_id;
  if (!view.host(id))
    return core::refuse(ErrorCode::not_found, "no such host: " + msg::shown(id.value), "host_id");
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  if (request.host_class) {
    if (!view.has_host_class(*request.host_class))
      return core::refuse(ErrorCode::invalid_argument,
                          "no such host class: " + msg::shown(*request.host_class), "host_class");
    if (auto possible = check_nodes(view, id, *request.host_class); !possible)
      return std::unexpected(possible.error());
  }
  Draft draft{view, now_unix_ms};
  StoredHost& host = draft.edit(id);
  if (request.host_class) host.host_class = *request.host_class;
  if (request.rack) host.rack = *request.rack;
  draft.want_pass();
  return finish(draft);
}

}  // namespace nucleus::scheduler
