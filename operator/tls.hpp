// A deployment's certificate: said with `up`, kept with its options.
#pragma once

#include <string>

#include "operator/deployment.hpp"

namespace nucleus::op {

/// Makes the paths absolute and looks at the files; where no CA is said and the certificate is its
/// own, that is what clients are told to believe. `invalid_argument` says which file is wrong.
core::Result<void> check_tls(TlsOptions& tls);

/// How clients name the machine at `address`: so, unless the certificate is for other names alone;
/// then the first of those.
std::string host_of(const TlsOptions& tls, const std::string& address);

}  // namespace nucleus::op
