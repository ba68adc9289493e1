// A server's certificate and key, as OpenSSL takes them from files. Any thread; read anew while
// connections go on.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "core/result.hpp"

namespace boost::asio::ssl {
class context;
}

namespace nucleus::core {

/// PEM: the certificate first, then those that lead to its CA; the key without a passphrase.
struct CertificateFiles {
  std::string certificate = {};
  std::string key = {};
};

/// What a certificate says of itself.
struct CertificateFacts {
  bool is_own_ca = false;        // self-signed: clients are given the certificate itself
  bool is_for_host = false;      // good for the host that was asked about
  std::string name = {};         // its first DNS name without a wildcard; empty = none
  std::int64_t end_unix_s = 0;   // good until then
  std::string fingerprint = {};  // SHA-256, 64 hex digits
};

class Certificate {
 public:
  /// `invalid_argument` with the reason: a file cannot be read, is not PEM, or the key is that of
  /// another certificate.
  static Result<std::shared_ptr<Certificate>> open(const CertificateFiles& files);
  /// As `open`; null where neither file is said. One without the other is refused, with `field`.
  static Result<std::shared_ptr<Certificate>> open_if_said(const CertificateFiles& files,
                                                           const std::string& field);

  /// Reads the files again, for connections to come. Refused as by `open`: the old ones stay.
  Result<void> renew();
  /// TLS 1.2 or later, with this certificate; what was begun with it may keep it.
  std::shared_ptr<boost::asio::ssl::context> context() const;
  /// Of the one in force; is it for `host`, a name or an address?
  CertificateFacts facts(const std::string& host = {}) const;

 private:
  explicit Certificate(CertificateFiles files) : files_{std::move(files)} {}

  CertificateFiles files_;
  mutable std::mutex mutex_ = {};
  std::shared_ptr<boost::asio::ssl::context> context_ = {};
};

}  // namespace nucleus::core
