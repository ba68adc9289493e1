// The CAs with which a client verifies servers. Any thread.
#pragma once

#include <memory>
#include <string>

#include "core/result.hpp"
#include "core/tls/certificate.hpp"

namespace boost::asio::ssl {
class context;
}

namespace nucleus::core {

class Trust {
 public:
  /// Trusts the CAs in a PEM file, and no others. `invalid_argument` if it cannot be read.
  static Result<std::shared_ptr<Trust>> open(const std::string& ca_file);

  /// Trusts the CAs of the system, or of SSL_CERT_FILE and SSL_CERT_DIR.
  static Result<std::shared_ptr<Trust>> of_system();

  /// Whether one of its CAs issued the certificate, whenever it expires.
  bool verifies(const Certificate& certificate) const;

  /// TLS 1.2 or later.
  const std::shared_ptr<boost::asio::ssl::context>& context() const { return context_; }

 private:
  explicit Trust(std::shared_ptr<boost::asio::ssl::context> context)
      : context_{std::move(context)} {}

  std::shared_ptr<boost::asio::ssl::context> context_;
};

}  // namespace nucleus::core
