// A deployment's own certificate authority: makes the certificates of its servers. Keys are ECDSA
// on P-256; files are PEM, keys readable by their owner alone. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/tls/certificate.hpp"

namespace nucleus::core {

/// Makes a CA for ten years, unless both files exist. `internal` if a file cannot be written.
Result<void> make_authority(const CertificateFiles& files, const std::string& name);

/// What a server's certificate is valid for.
struct CertificateScope {
  std::vector<std::string> names = {};      // DNS names; the first is its common name
  std::vector<std::string> addresses = {};  // numeric, IPv4 or IPv6
  int days = 800;                           // some clients refuse more than 825
};

/// Signs a new certificate, with a new key, and replaces `files`. `invalid_argument` if the
/// authority cannot be read or an address is not numeric.
Result<void> issue_certificate(const CertificateFiles& authority, const CertificateScope& scope,
                               const CertificateFiles& files);

}  // namespace nucleus::core
