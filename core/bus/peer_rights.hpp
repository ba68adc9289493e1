// The rights of a CURVE key over tcp, as pure functions that the broker applies to every message.
#pragma once

#include <string>
#include <string_view>

#include "messages/common.hpp"

namespace nucleus::core {

struct PeerRights {
  std::string name = {};      // the process name, `registry`; `operator/*` = any name below
  std::string calls = {};     // prefixes of the topics it may call, separated by spaces; `*` = all
  std::string project = {};   // it may subscribe to this project's events; `*` = all
  std::string replaces = {};  // earlier keys, with spaces: they end when this one is used
  std::int64_t end_unix_s = 0;  // the key has no rights from then on; 0 = never
};

/// Whether both allow the same; when they end makes no difference.
inline bool allow_the_same(const PeerRights& one, const PeerRights& other) {
  return one.name == other.name && one.calls == other.calls && one.project == other.project;
}

/// True if the key has any rights.
inline bool is_known(const PeerRights& rights) {
  return !rights.name.empty() || !rights.project.empty();
}

inline bool may_be(const PeerRights& rights, std::string_view name) {
  const std::string_view granted = rights.name;
  if (granted.ends_with("/*"))
    return name.starts_with(granted.substr(0, granted.size() - 1)) &&
           msg::is_name(name.substr(granted.size() - 1));
  return !granted.empty() && name == granted;
}

/// Every process may send `process.*` requests to itself.
inline bool may_call(const PeerRights& rights, std::string_view sender, std::string_view to,
                     std::string_view topic) {
  if (sender == to && topic.starts_with("process.")) return true;
  std::string_view rest = rights.calls;
  while (!rest.empty()) {
    const auto prefix = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), prefix.size() + 1));
    if (prefix == "*" || (!prefix.empty() && topic.starts_with(prefix))) return true;
  }
  return false;
}

/// A service emits its own events only, `network` those named `network.*`. A provisioner, whose
/// host is outside the head, emits none: the scheduler emits what provisioners report.
inline bool may_emit(std::string_view name, std::string_view topic) {
  const auto service = name.substr(0, name.find('/'));
  const auto type = topic.substr(topic.rfind('/') + 1);
  const auto owner = type.substr(0, type.find('.'));
  if (service == "provisioner" || owner == type) return false;
  return owner == service || (owner == "provisioner" && service == "scheduler");
}

/// The prefix of a subscription must lie within the key's project or within `public`.
inline bool may_subscribe(const PeerRights& rights, std::string_view prefix) {
  if (rights.project == "*") return true;
  return !rights.project.empty() &&
         (prefix.starts_with(rights.project + "/") || prefix.starts_with("public/"));
}

}  // namespace nucleus::core
