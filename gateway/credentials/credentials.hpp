// Reads the credential of a request. Pure.
#pragma once

#include <string>
#include <variant>

#include "core/http/http.hpp"
#include "core/result.hpp"
#include "messages/people.hpp"

namespace nucleus::gateway {

using Credential = std::variant<msg::CheckToken, msg::CheckSignature, msg::CheckPassword>;

/// Uploads are admitted by their head; their digest is compared when the body was read.
enum class BodyState { pending, read };

/// `Authorization: Token T`, `Bearer T`, `Basic` with a password (40 hex digits are a token), or an
/// API key's signature (docs/rest-v1.md, Signatures). A strict signature covers `(request-target)
/// host date digest`; if it covers no nonce, the signature itself is the nonce. `unauthenticated`
/// if there is no credential or it is malformed.
core::Result<Credential> credential_of(const core::http::Request& request,
                                       BodyState body = BodyState::read);

/// `unauthenticated` unless `Digest: SHA-256=…` matches the body, or the file.
core::Result<void> check_digest(const std::string& digest, std::string_view body);
core::Result<void> check_file_digest(const std::string& digest, const std::string& path);

/// True if the credential has all rights of its person's role and does not expire.
bool is_whole(const msg::Principal& who);

}  // namespace nucleus::gateway
