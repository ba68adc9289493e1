// Who has to sign the acknowledgement before a project's nodes may be powered on. Pure.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "messages/people.hpp"

namespace nucleus::registry {

/// Empty if a PI and a cluster admin have signed the current text since the project was created, or
/// if no signature is required.
inline std::string missing_signers(const msg::AcknowledgementText& text,
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

/// Why a project's nodes may not be powered on; empty if they may.
inline std::string reason_of(const std::string& missing, const msg::ProjectId& project_id) {
  return missing.empty() ? ""
                         : "the acknowledgement of responsibility is not signed by " + missing +
                               "; to read and sign it: comet acknowledgement " + project_id.value;
}

}  // namespace nucleus::registry
