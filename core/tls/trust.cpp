#include "core/tls/trust.hpp"

#include <openssl/ssl.h>

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/ssl/context.hpp>

namespace nucleus::core {

Result<std::shared_ptr<Trust>> Trust::open(const std::string& ca_file) {
  auto context = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  boost::system::error_code error;
  context->load_verify_file(ca_file, error);
  if (error) return refuse(ErrorCode::invalid_argument, ca_file + ": not a CA: " + error.message());
  return std::shared_ptr<Trust>(new Trust(std::move(context)));
}

}  // namespace nucleus::core
