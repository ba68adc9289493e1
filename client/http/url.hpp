// URLs, read and escaped by libcurl.
#pragma once

#include <string>

#include "core/result.hpp"

namespace nucleus::client {

/// The URL of a server without slashes at the end and with its scheme in lower case.
/// `invalid_argument`: not http or https, no host, or a user, query or fragment in it.
core::Result<std::string> parse_base_url(const std::string& text);

/// SCHEME://HOST:PORT of a URL, with the scheme's default port if it names none; empty if it is
/// not a URL. Credentials belong to one origin.
std::string origin_of(const std::string& url);

/// A segment of a path or a value of a query, percent-encoded.
std::string encoded(const std::string& text);

}  // namespace nucleus::client
