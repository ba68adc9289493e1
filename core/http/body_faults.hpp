// What a fault means that ended the reading of a body.
#pragma once

#include <algorithm>
#include <array>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <cerrno>

namespace nucleus::core::http {

inline bool is_parse_error(boost::beast::error_code error) {
  using boost::beast::http::error::bad_chunk;
  return error && error.category() == make_error_code(bad_chunk).category();
}

/// The file that has the body cannot be written; else it is the connection's fault.
inline bool is_disk_fault(boost::beast::error_code error) {
  constexpr std::array faults = {ENOSPC, EDQUOT, EFBIG, EIO, EROFS};
  const bool is_errno = error.category() == boost::system::system_category() ||
                        error.category() == boost::system::generic_category();
  return is_errno && std::ranges::find(faults, error.value()) != faults.end();
}

}  // namespace nucleus::core::http
