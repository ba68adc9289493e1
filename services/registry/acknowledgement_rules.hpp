// Who has still to sign before a project's nodes may be powered on. Pure.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "messages/people.hpp"

namespace nucleus::registry {

/// Empty where nobody is missing: the present text is signed by a PI and by a cluster admin, since
/// the project was made.
inline std::string who_is_missing(const msg::AcknowledgementText& text,
                                  const std::vector<msg::Acknowledgement>& acknowledgements,
                                  std::int64_t defined_unix_s) {
  if (!text.is_required || text.version == 0) return {};
  const auto has = [&](msg::Role role) {
    return std::ranges::any_of(acknowledgements, [&](const msg::Acknowledgement& one) {
      return one.role == role && one.version == text.version && one.signed_unix_s >= defined_unix_s;
    });
  };
  const bool has_pi = has(msg::Role::pi);
  const bool has_admin = has(msg::Role::cluster_admin);
  if (has_pi && has_admin) return {};
  if (has_pi) return "a cluster admin";
  return has_admin ? "a PI" : "a PI and a cluster admin";
}

/// What a project whose nodes stay off is told; empty where nobody is missing.
inline std::string reason_of(const std::string& missing) {
  return missing.empty() ? "" : "the acknowledgement of responsibility is not signed by " + missing;
}

}  // namespace nucleus::registry
