#include "core/tls/authority.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "core/files/files.hpp"

namespace nucleus::core {

namespace {

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

constexpr int authority_days = 3650;
constexpr long seconds_of_day = 24 * 60 * 60;
constexpr std::size_t serial_bytes = 16;
constexpr long x509_version_3 = 2;

std::unexpected<Error> refuse_file(ErrorCode code, const std::string& path,
                                   const std::string& reason) {
  return refuse(code, path + ": " + reason);
}

Result<void> write_pem(const std::string& path, mode_t mode, BIO* content) {
  char* bytes = nullptr;
  const auto size = static_cast<std::size_t>(BIO_get_mem_data(content, &bytes));
  return replace_file(path, {bytes, size}, {.mode = mode, .is_durable = true});
}

/// The key first: a certificate without its key would be taken for complete.
Result<void> write_pair(const CertificateFiles& files, X509* certificate, EVP_PKEY* key) {
  const Bio key_text(BIO_new(BIO_s_mem()));
  const Bio certificate_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) !=
          1 ||
      PEM_write_bio_X509(certificate_text.get(), certificate) != 1)
    return refuse_file(ErrorCode::internal, files.key, "cannot be encoded");
  if (auto written = write_pem(files.key, 0600, key_text.get()); !written) return written;
  return write_pem(files.certificate, 0644, certificate_text.get());
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

/// Everything but the names of its scope, and not signed.
X509Ptr new_certificate(const std::string& common_name, EVP_PKEY* key, int days) {
  X509Ptr certificate(X509_new());
  std::array<unsigned char, serial_bytes> serial{};
  RAND_bytes(serial.data(), static_cast<int>(serial.size()));
  serial[0] &= 0x7f;  // a serial number is positive
  const std::unique_ptr<BIGNUM, Freed<BN_free>> number(
      BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
  X509_set_version(certificate.get(), x509_version_3);
  // A host's clock may be slow, and this one fast.
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -seconds_of_day);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days * seconds_of_day);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  return certificate;
}

bool sign(X509* certificate, EVP_PKEY* key) {
  return X509_sign(certificate, key, EVP_sha256()) > 0;
}

Result<X509Ptr> read_certificate(const std::string& path) {
  const Bio file(BIO_new_file(path.c_str(), "r"));
  X509Ptr found(file ? PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!found) return refuse_file(ErrorCode::invalid_argument, path, "not a certificate");
  return found;
}

Result<Key> read_key(const std::string& path) {
  const Bio file(BIO_new_file(path.c_str(), "r"));
  Key found(file ? PEM_read_bio_PrivateKey(file.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!found) return refuse_file(ErrorCode::invalid_argument, path, "not a private key");
  return found;
}

/// As OpenSSL's configuration writes it: DNS:a,IP:10.0.0.1
std::string alternative_names(const CertificateScope& scope) {
  std::string text;
  for (const auto& name : scope.names) text += (text.empty() ? "DNS:" : ",DNS:") + name;
  for (const auto& address : scope.addresses) text += (text.empty() ? "IP:" : ",IP:") + address;
  return text;
}

}  // namespace

Result<void> make_authority(const CertificateFiles& files, const std::string& name) {
  if (access(files.certificate.c_str(), F_OK) == 0 && access(files.key.c_str(), F_OK) == 0)
    return {};
  const Key key(EVP_EC_gen("P-256"));
  const auto certificate = new_certificate(name, key.get(), authority_days);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  const bool is_made =
      key &&
      add_extension(certificate.get(), certificate.get(), NID_basic_constraints,
                    "critical,CA:TRUE,pathlen:0") &&
      add_extension(certificate.get(), certificate.get(), NID_key_usage,
                    "critical,keyCertSign,cRLSign") &&
      add_extension(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash") &&
      sign(certificate.get(), key.get());
  if (!is_made) return refuse_file(ErrorCode::internal, files.certificate, "cannot be made");
  return write_pair(files, certificate.get(), key.get());
}

Result<void> issue_certificate(const CertificateFiles& authority, const CertificateScope& scope,
                               const CertificateFiles& files) {
  const auto issuer = read_certificate(authority.certificate);
  if (!issuer) return std::unexpected(issuer.error());
  const auto issuer_key = read_key(authority.key);
  if (!issuer_key) return std::unexpected(issuer_key.error());
  const Key key(EVP_EC_gen("P-256"));
  const auto certificate =
      new_certificate(scope.names.empty() ? "nucleus" : scope.names.front(), key.get(), scope.days);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer->get()));
  if (!add_extension(certificate.get(), issuer->get(), NID_subject_alt_name,
                     alternative_names(scope)))
    return refuse(ErrorCode::invalid_argument,
                  "not the names and addresses of a server: " + alternative_names(scope));
  const bool is_made =
      add_extension(certificate.get(), issuer->get(), NID_basic_constraints, "critical,CA:FALSE") &&
      add_extension(certificate.get(), issuer->get(), NID_key_usage, "critical,digitalSignature") &&
      add_extension(certificate.get(), issuer->get(), NID_ext_key_usage, "serverAuth") &&
      add_extension(certificate.get(), issuer->get(), NID_authority_key_identifier, "keyid") &&
      sign(certificate.get(), issuer_key->get());
  if (!is_made) return refuse_file(ErrorCode::internal, files.certificate, "cannot be made");
  return write_pair(files, certificate.get(), key.get());
}

}  // namespace nucleus::core
