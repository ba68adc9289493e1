// Tickets: secrets that are shown once and stored as hashes.
#pragma once

#include <string>
#include <string_view>

namespace nucleus::console {

/// 43 characters of base64url: 256 bits from the system's randomness.
std::string new_ticket();
/// Hex SHA-256.
std::string hash_ticket(std::string_view ticket);

}  // namespace nucleus::console
