// The TLS certificates of a deployment: one that `up` is given, and those of its own CA in DIR/tls.
#pragma once

#include <string>

#include "core/tls/authority.hpp"
#include "core/tls/certificate.hpp"
#include "operator/deployment.hpp"

namespace nucleus::operator_ {

/// Files in DIR/tls.
core::CertificateFiles authority_files(const StateDirectory& state);
core::CertificateFiles head_files(const StateDirectory& state);

/// Makes the CA, unless it exists, and a certificate of it, unless `files` has one that is valid
/// for all of `scope` and for another 90 days.
core::Result<void> make_certificate(const core::CertificateFiles& authority,
                                    const std::string& authority_name,
                                    const core::CertificateScope& scope,
                                    const core::CertificateFiles& files);
/// That of the head, for all addresses of the deployment.
core::Result<void> make_own_tls(const StateDirectory& state, const Deployment& deployment);

/// Selects the head's own certificate if clients reach the gateway or the console from elsewhere,
/// no other one was given and TLS is not off; and deselects it if they do not.
void use_own_tls(const StateDirectory& state, Options& options);

/// Makes the paths absolute and reads the files. If no CA is given and the certificate is
/// self-signed, clients are given the certificate as CA. `invalid_argument` names the wrong file.
core::Result<void> check_tls(TlsOptions& tls);

/// Why clients would reject the certificate at this time; empty if they would not.
std::string certificate_problem(const TlsOptions& tls, std::int64_t now_unix_s);

/// The host for URLs: `address`, unless the certificate is only for other names; then the first of
/// those.
std::string host_of(const TlsOptions& tls, const std::string& address);

/// The host for URLs that clients elsewhere use of what listens on `address`: the machine's name if
/// that is every address.
std::string public_host(const TlsOptions& tls, const std::string& address);

}  // namespace nucleus::operator_
