// What an API-key client sends (compat section 1.5): HMAC-SHA256 over its nonce and time, in
// base64.
#pragma once

#include <string>

namespace nucleus::client {

/// `nonce: N\ntimestamp: T`, signed with the key's secret.
std::string sign(const std::string& secret, const std::string& nonce, const std::string& timestamp);

/// 10 characters A-Z and 0-9, from the system's randomness.
std::string new_nonce();

/// Hex MD5 of a file, which old servers ask for with an upload; empty where it cannot be read.
std::string md5_of_file(const std::string& path);

}  // namespace nucleus::client
