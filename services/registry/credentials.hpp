// Checks of credentials and of what is stored with them: token hashes, API-key signatures, names,
// passwords. Pure functions. A `check_…` returns the first error, or nothing.
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
/// True if the signature is of `text`. Takes the same time wherever it differs.
bool is_signature(std::string_view signature_base64, std::string_view secret,
                  std::string_view text);

/// Checks lengths, characters and clock, before any key is read.
std::optional<msg::Error> check_shape(const msg::CheckSignature& request, std::int64_t now_unix_s,
                                      std::int64_t age_s);

/// The id of a token in lists: the beginning of its hash.
inline std::string token_id_of(std::string_view hash) {
  return std::string(hash.substr(0, 16));
}
/// For a person of this role.
std::optional<msg::Error> check_token_request(const msg::IssueToken& request, msg::Role role,
                                              std::int64_t now_unix_s);
/// A strict key's signature must cover method, path, host, date and body.
std::optional<msg::Error> check_strict(const std::vector<std::string>& covers);
/// A password has 8..128 bytes without NUL.
std::optional<msg::Error> check_password(std::string_view password);
/// A role's rights; if `narrowed` is not empty, those of them that it lists.
std::vector<msg::Right> rights_of(msg::Role role, const std::vector<msg::Right>& narrowed);

/// An e-mail address has 3..254 printable characters that are safe in a key name, one of them `@`.
std::optional<msg::Error> check_email(std::string_view email);
std::optional<msg::Error> check_person(const msg::Person& person);
/// A project's name is [a-z0-9][a-z0-9-]{0,62}, and not `public`.
std::optional<msg::Error> check_project(std::string_view field, std::string_view name);

}  // namespace nucleus::registry
