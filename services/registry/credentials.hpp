// Whether a credential is what it claims to be: token hashes, API-key signatures, the shapes of
// both. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/registry.hpp"

namespace nucleus::registry {

/// HMAC-SHA256 of `text` under `secret`, base64.
std::string sign(std::string_view secret, std::string_view text);
/// True where the signature is that of `text`; takes equally long wherever it differs.
bool is_signature(std::string_view signature_base64, std::string_view secret,
                  std::string_view text);

/// Nothing, or the first broken rule of shape and clock, before any key is looked at.
std::optional<msg::Error> check_shape(const msg::CheckSignature& request, std::int64_t now_unix_s,
                                      std::int64_t age_s);

/// What a token is called in lists: the beginning of its hash.
inline std::string token_id_of(std::string_view hash) {
  return std::string(hash.substr(0, 16));
}
/// Nothing, or what is wrong with a request for a token of a person of this role.
std::optional<msg::Error> check_token_request(const msg::IssueToken& request, msg::Role role,
                                              std::int64_t now_unix_s);
/// Nothing, or that a strict key's signature leaves something out.
std::optional<msg::Error> check_strict(const std::vector<std::string>& covers);
/// Nothing, or that it is no password: 8..128 bytes without NUL.
std::optional<msg::Error> check_password(std::string_view password);
/// A role's rights; with `narrowed` not empty only those of them that stand there.
std::vector<msg::Right> rights_of(msg::Role role, const std::vector<msg::Right>& narrowed);

/// Nothing, or what is wrong with an e-mail address: one `@`, 3..254 printable characters that are
/// safe in a key name.
std::optional<msg::Error> check_email(std::string_view email);
/// Nothing, or what is wrong with a person: names, role, e-mail, number of projects.
std::optional<msg::Error> check_person(const msg::Person& person);
/// Nothing, or that it is no project name: [a-z0-9][a-z0-9-]{0,62}, and not `public`.
std::optional<msg::Error> check_project(std::string_view field, std::string_view name);

}  // namespace nucleus::registry
