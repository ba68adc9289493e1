// Bodies packed with gzip, for clients that accept them. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "core/http/http.hpp"

namespace nucleus::core::http {

/// True if Accept-Encoding names gzip, with a quality above 0.
bool accepts_gzip(const Request& request);
/// Throws std::bad_alloc.
std::string gzip(std::string_view text);
/// Packs the response's body. Its ETag then ends with `.gz`: it names these bytes.
void pack_with_gzip(Response& response);

}  // namespace nucleus::core::http
