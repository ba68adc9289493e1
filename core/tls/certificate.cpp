#include "core/tls/certificate.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <array>
#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/ssl/context.hpp>
#include <cerrno>
#include <ctime>
#include <span>
#include <system_error>

#include "core/digest/digest.hpp"

namespace nucleus::core {

namespace ssl = boost::asio::ssl;

namespace {

using SystemError = boost::system::error_code;

std::unexpected<Error> refuse_file(const std::string& path, const std::string& reason) {
  return refuse(ErrorCode::invalid_argument, path + ": " + reason);
}

Result<std::shared_ptr<ssl::context>> read_pair(const CertificateFiles& files) {
  for (const auto& path : {files.certificate, files.key})  // OpenSSL's message is unclear
    if (access(path.c_str(), R_OK) != 0)
      return refuse_file(path, std::generic_category().message(errno));
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  auto* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(
      native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // less memory for idle connections
  SystemError error;
  // Without a callback OpenSSL asks for a passphrase on the terminal.
  context->set_password_callback([](std::size_t, ssl::context::password_purpose) { return ""; },
                                 error);
  context->use_certificate_chain_file(files.certificate, error);
  if (error) return refuse_file(files.certificate, "not a certificate: " + error.message());
  context->use_private_key_file(files.key, ssl::context::pem, error);
  if (error.message() == "key values mismatch" ||
      (!error && SSL_CTX_check_private_key(native) != 1))
    return refuse_file(files.key, "is not the key of " + files.certificate);
  if (error) return refuse_file(files.key, "not a private key: " + error.message());
  return context;
}

bool is_self_signed(X509* certificate) {
  return X509_check_issued(certificate, certificate) == X509_V_OK;
}

bool is_valid_for(X509* certificate, const std::string& host) {
  return X509_check_ip_asc(certificate, host.c_str(), 0) == 1 ||
         X509_check_host(certificate, host.data(), host.size(), 0, nullptr) == 1;
}

std::string first_name(X509* certificate) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  std::string found;
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && found.empty(); ++i) {
    const auto* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    const auto* text = ASN1_STRING_get0_data(name->d.dNSName);
    found.assign(reinterpret_cast<const char*>(text),
                 static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    if (found.starts_with('*')) found.clear();
  }
  GENERAL_NAMES_free(names);
  return found;
}

std::int64_t end_of(X509* certificate) {
  std::tm end{};
  return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1 ? timegm(&end) : 0;
}

std::string fingerprint_of(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  X509_digest(certificate, EVP_sha256(), bytes.data(), &size);
  return to_hex(std::span(bytes).first(size));
}

}  // namespace

Result<std::shared_ptr<Certificate>> Certificate::open(const CertificateFiles& files) {
  std::shared_ptr<Certificate> certificate{new Certificate(files)};
  if (auto read = certificate->renew(); !read) return std::unexpected(read.error());
  return certificate;
}

Result<std::shared_ptr<Certificate>> Certificate::open_if_set(const CertificateFiles& files,
                                                              const std::string& field) {
  if (files.certificate.empty() && files.key.empty()) return nullptr;
  if (files.certificate.empty() || files.key.empty())
    return refuse(ErrorCode::invalid_argument,
                  field + ": a certificate and its key must be set together", field);
  return open(files);
}

Result<void> Certificate::renew() {
  auto fresh = read_pair(files_);
  if (!fresh) return std::unexpected(fresh.error());
  const std::scoped_lock lock{mutex_};
  context_ = std::move(*fresh);
  return {};
}

std::shared_ptr<ssl::context> Certificate::context() const {
  const std::scoped_lock lock{mutex_};
  return context_;
}

CertificateFacts Certificate::facts(const std::string& host) const {
  const auto kept = context();
  auto* certificate = SSL_CTX_get0_certificate(kept->native_handle());
  return {.is_self_signed = is_self_signed(certificate),
          .is_for_host = !host.empty() && is_valid_for(certificate, host),
          .name = first_name(certificate),
          .end_unix_s = end_of(certificate),
          .fingerprint = fingerprint_of(certificate)};
}

}  // namespace nucleus::core
