// The TLS certificate of a deployment: given with `up`, stored with its options.
#pragma once

#include <string>

#include "operator/deployment.hpp"

namespace nucleus::operator_ {

/// Makes the paths absolute and reads the files. If no CA is given and the certificate is
/// self-signed, clients are given the certificate as CA. `invalid_argument` names the wrong file.
core::Result<void> check_tls(TlsOptions& tls);

/// Why clients would reject the certificate at this time; empty if they would not.
std::string certificate_problem(const TlsOptions& tls, std::int64_t now_unix_s);

/// The host for URLs: `address`, unless the certificate is only for other names; then the first of
/// those.
std::string host_of(const TlsOptions& tls, const std::string& address);

}  // namespace nucleus::operator_
