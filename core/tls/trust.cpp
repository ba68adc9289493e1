#include "core/tls/trust.hpp"

#include <openssl/ssl.h>

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/ssl/context.hpp>

namespace nucleus::core {

namespace {

std::shared_ptr<boost::asio::ssl::context> client_context() {
  auto context = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  return context;
}

}  // namespace

Result<std::shared_ptr<Trust>> Trust::open(const std::string& ca_file) {
  auto context = client_context();
  boost::system::error_code error;
  context->load_verify_file(ca_file, error);
  if (error) return refuse(ErrorCode::invalid_argument, ca_file + ": not a CA: " + error.message());
  return std::shared_ptr<Trust>(new Trust(std::move(context)));
}

Result<std::shared_ptr<Trust>> Trust::of_system() {
  auto context = client_context();
  boost::system::error_code error;
  context->set_default_verify_paths(error);
  if (error)
    return refuse(ErrorCode::invalid_argument, "cannot read the system's CAs: " + error.message());
  return std::shared_ptr<Trust>(new Trust(std::move(context)));
}

bool Trust::verifies(const Certificate& certificate) const {
  const auto server = certificate.context();
  STACK_OF(X509)* intermediates = nullptr;
  SSL_CTX_get0_chain_certs(server->native_handle(), &intermediates);
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> check(X509_STORE_CTX_new(),
                                                                              X509_STORE_CTX_free);
  if (X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(context_->native_handle()),
                          SSL_CTX_get0_certificate(server->native_handle()), intermediates) != 1)
    return false;
  X509_STORE_CTX_set_flags(check.get(), X509_V_FLAG_NO_CHECK_TIME);
  return X509_verify_cert(check.get()) == 1;
}

}  // namespace nucleus::core
