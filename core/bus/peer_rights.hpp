// What a CURVE key allows its holder over TCP. Pure: the bus asks these of every message.
#pragma once

#include <string>
#include <string_view>

#include "messages/common.hpp"

namespace nucleus::core {

struct PeerRights {
  std::string name = {};     // what it may be called: `registry`; `operator/*` = any name below
  std::string calls = {};    // topics it may ask for: prefixes, a space between; `*` = all
  std::string project = {};  // whose events it may hear; `*` = all
};

/// True where the key is known at all.
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

/// Every process may ask itself how it is, and nobody else.
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

/// A process tells its own service's events alone: `provisioner/host-07` tells `provisioner.…`.
inline bool may_emit(std::string_view name, std::string_view topic) {
  const auto service = name.substr(0, name.find('/'));
  const auto type = topic.substr(topic.rfind('/') + 1);
  return type.starts_with(service) && type.substr(service.size()).starts_with('.');
}

/// `prefix` is what the subscriber asked for: it must lie inside its project, or in what is public.
inline bool may_hear(const PeerRights& rights, std::string_view prefix) {
  if (rights.project == "*") return true;
  return !rights.project.empty() &&
         (prefix.starts_with(rights.project + "/") || prefix.starts_with("public/"));
}

}  // namespace nucleus::core
