// What a request says of who sends it: pure.
#pragma once

#include <string>
#include <variant>

#include "core/result.hpp"
#include "gateway/http.hpp"
#include "messages/people.hpp"

namespace nucleus::gateway {

using Credential = std::variant<msg::CheckToken, msg::CheckSignature, msg::CheckPassword>;

/// An upload is admitted by its head; its digest is compared when the body has come.
enum class BodyState { to_come, read };

/// `Authorization: Token T`, `Bearer T`, `Basic` with a password (one of 40 hex digits is a token),
/// or the API-key signature (compat section 1.5). A strict one signs `(request-target) host date
/// digest`, and its digest is that of the body; where no nonce is signed, the signature itself
/// serves once. `unauthenticated` where there is none, or it is malformed.
core::Result<Credential> credential_of(const HttpRequest& request,
                                       BodyState body = BodyState::read);

/// `unauthenticated` where `Digest: SHA-256=…` is not that of the body, or of the file.
core::Result<void> check_digest(const std::string& digest, std::string_view body);
core::Result<void> check_file_digest(const std::string& digest, const std::string& path);

/// True where the credential is good for all that its person may: only such a one makes others.
bool is_whole(const msg::Principal& who);

}  // namespace nucleus::gateway
