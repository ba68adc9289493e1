// Errors are values: a function that can fail returns Result<T>, and changes nothing if it fails.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "messages/common.hpp"

namespace nucleus::core {

using msg::Error;
using msg::ErrorCode;

template <class T>
using Result = std::expected<T, Error>;

/// `return refuse(ErrorCode::not_found, "no cluster vc9");`
inline std::unexpected<Error> refuse(ErrorCode code, std::string detail, std::string field = {}) {
  return std::unexpected(
      Error{.code = code, .detail = std::move(detail), .field = std::move(field)});
}

}  // namespace nucleus::core
