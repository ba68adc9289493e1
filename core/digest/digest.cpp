#include "core/digest/digest.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <new>

namespace nucleus::core {

namespace {

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::span<const unsigned char> span_of(std::string_view text) {
  return {bytes_of(text), text.size()};
}

}  // namespace

Sha256 sha256(std::string_view bytes) {
  // Fetching the algorithm costs more than running it.
  struct Algorithm {
    std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> kind{EVP_MD_fetch(nullptr, "SHA256", nullptr),
                                                         &EVP_MD_free};
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> run{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
  };
  thread_local const Algorithm algorithm;
  Sha256 digest{};
  if (!algorithm.kind || !algorithm.run ||
      EVP_DigestInit_ex2(algorithm.run.get(), algorithm.kind.get(), nullptr) != 1 ||
      EVP_DigestUpdate(algorithm.run.get(), bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(algorithm.run.get(), digest.data(), nullptr) != 1)
    throw std::bad_alloc();
  return digest;
}

std::string sha256_hex(std::string_view bytes) {
  return to_hex(sha256(bytes));
}

Sha256 hmac_sha256(std::string_view secret, std::string_view text) {
  Sha256 mac{};
  unsigned size = 0;
  if (!HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes_of(text),
            text.size(), mac.data(), &size))
    throw std::bad_alloc();
  return mac;
}

bool is_equal_in_constant_time(const Sha256& a, const Sha256& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string to_hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const auto byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string to_base64(std::span<const unsigned char> bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // OpenSSL appends a NUL
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                  static_cast<int>(bytes.size()));
  text.pop_back();
  return text;
}

std::string to_base64(std::string_view bytes) {
  return to_base64(span_of(bytes));
}

std::string to_base64url(std::span<const unsigned char> bytes) {
  std::string text = to_base64(bytes);
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  text.erase(std::min(text.find('='), text.size()));
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), bytes_of(text),
                      static_cast<int>(text.size())) != static_cast<int>(bytes.size()))
    return std::nullopt;
  const auto padding = text.size() - std::min(text.find('='), text.size());
  if (padding > 2) return std::nullopt;
  bytes.resize(bytes.size() - padding);
  // OpenSSL accepts stray bits and padding; a text has one meaning here, and bytes have one text.
  if (to_base64(bytes) != text) return std::nullopt;
  return bytes;
}

Hasher::Hasher(Algorithm algorithm) : context_{EVP_MD_CTX_new()} {
  const EVP_MD* kind = algorithm == Algorithm::md5    ? EVP_md5()
                       : algorithm == Algorithm::sha1 ? EVP_sha1()
                                                      : EVP_sha256();
  if (!context_ || EVP_DigestInit_ex(context_.get(), kind, nullptr) != 1) throw std::bad_alloc();
}

void Hasher::add(std::string_view bytes) {
  if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) throw std::bad_alloc();
}

std::string Hasher::finish() {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  if (EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()), &size) !=
      1)
    throw std::bad_alloc();
  digest.resize(size);
  return digest;
}

std::string Hasher::finish_hex() {
  const std::string digest = finish();
  return to_hex(span_of(digest));
}

void Hasher::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

}  // namespace nucleus::core
