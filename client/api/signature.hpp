// The signature of an API key (docs/rest-v1.md, Signatures): HMAC-SHA256 over a nonce and the time,
// in base64.
#pragma once

#include <string>

namespace nucleus::client {

/// Signs `nonce: N\ntimestamp: T` with the key's secret.
std::string sign(const std::string& secret, const std::string& nonce, const std::string& timestamp);

/// 10 random characters A-Z and 0-9.
std::string new_nonce();

/// The MD5 of a file in hex, which the first generation of the API requires with an upload; empty
/// if the file cannot be read.
std::string md5_of_file(const std::string& path);

}  // namespace nucleus::client
