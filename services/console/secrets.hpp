// Tickets are secrets: shown once, stored as their SHA-256.
#pragma once

#include <string>

namespace nucleus::console {

/// 43 characters of base64url: 256 random bits.
std::string new_ticket();

}  // namespace nucleus::console
