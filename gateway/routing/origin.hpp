// The origin of a URL, as browsers send it in the header Origin. Pure.
#pragma once

#include <string>

namespace nucleus::gateway {

/// SCHEME://HOST:PORT of an absolute URL; empty if it has no scheme.
inline std::string origin_of(const std::string& url) {
  const auto mark = url.find("://");
  return mark == std::string::npos ? "" : url.substr(0, url.find('/', mark + 3));
}

}  // namespace nucleus::gateway
