// A server's certificate and key, read from PEM files. Any thread. They can be read again while
// connections are open.
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

/// The certificate's file also has the intermediate certificates after it; the key has no
/// passphrase.
struct CertificateFiles {
  std::string certificate = {};
  std::string key = {};
};

/// What a certificate contains.
struct CertificateFacts {
  bool is_self_signed = false;   // clients verify it with the certificate itself
  bool is_for_host = false;      // valid for the host that `facts` was given
  std::string name = {};         // its first DNS name without a wildcard; empty = none
  std::int64_t end_unix_s = 0;   // notAfter
  std::string fingerprint = {};  // SHA-256, 64 hex digits
};

class Certificate {
 public:
  /// `invalid_argument` if a file cannot be read or is not PEM, or if the key is not that of the
  /// certificate.
  static Result<std::shared_ptr<Certificate>> open(const CertificateFiles& files);
  /// As `open`; null if neither file is set. One without the other is `invalid_argument` of
  /// `field`.
  static Result<std::shared_ptr<Certificate>> open_if_set(const CertificateFiles& files,
                                                          const std::string& field);

  /// Reads the files again, for new connections. Fails as `open`; the previous pair then stays.
  Result<void> renew();
  /// TLS 1.2 or later, with this certificate. Open connections keep the context they have.
  std::shared_ptr<boost::asio::ssl::context> context() const;
  /// About the current certificate; `host` is a name or an address.
  CertificateFacts facts(const std::string& host = {}) const;

 private:
  explicit Certificate(CertificateFiles files) : files_{std::move(files)} {}

  CertificateFiles files_;
  mutable std::mutex mutex_ = {};
  std::shared_ptr<boost::asio::ssl::context> context_ = {};
};

}  // namespace nucleus::core
