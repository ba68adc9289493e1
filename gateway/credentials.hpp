// What a request says of who sends it: pure.
#pragma once

#include <string>
#include <variant>

#include "core/result.hpp"
#include "gateway/http.hpp"
#include "messages/people.hpp"

namespace nucleus::gateway {

using Credential = std::variant<msg::CheckToken, msg::CheckSignature>;

/// `Authorization: Token T`, `Bearer T`, `Basic` with a token as the password, or the API-key
/// signature (compat section 1.5). `unauthenticated` where there is none, or it is malformed.
core::Result<Credential> credential_of(const HttpRequest& request);

}  // namespace nucleus::gateway
