// SHA-256, HMAC-SHA256, MD5, SHA-1, hex and base64, over OpenSSL. Any thread. Functions throw
// std::bad_alloc if OpenSSL has no memory or no such algorithm, and nothing else.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace nucleus::core {

using Sha256 = std::array<unsigned char, 32>;

Sha256 sha256(std::string_view bytes);
/// As 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);
Sha256 hmac_sha256(std::string_view secret, std::string_view text);
/// Takes the same time wherever the bytes differ.
bool is_equal_in_constant_time(const Sha256& a, const Sha256& b);

std::string to_hex(std::span<const unsigned char> bytes);
/// RFC 4648, with padding.
std::string to_base64(std::string_view bytes);
std::string to_base64(std::span<const unsigned char> bytes);
/// The URL-safe alphabet, without padding.
std::string to_base64url(std::span<const unsigned char> bytes);
/// Nothing unless `text` is exactly what `to_base64` returns for some bytes.
std::optional<std::string> from_base64(std::string_view text);

/// Hashes data that arrives in pieces.
class Hasher {
 public:
  enum class Algorithm { sha256, md5, sha1 };

  explicit Hasher(Algorithm algorithm);
  void add(std::string_view bytes);
  /// The digest's bytes; the hasher is then of no further use.
  std::string finish();
  std::string finish_hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

/// For hash tables: a prefix of a digest is as uniform as all of it.
struct Sha256Prefix {
  std::size_t operator()(const Sha256& digest) const {
    std::size_t prefix = 0;
    std::memcpy(&prefix, digest.data(), sizeof prefix);
    return prefix;
  }
};

}  // namespace nucleus::core
