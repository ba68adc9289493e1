#include "client/api/signature.hpp"

#include <openssl/rand.h>

#include <array>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "core/digest/digest.hpp"

namespace nucleus::client {

std::string sign(const std::string& secret, const std::string& nonce,
                 const std::string& timestamp) {
  return core::to_base64(
      core::hmac_sha256(secret, "nonce: " + nonce + "\ntimestamp: " + timestamp));
}

std::string new_nonce() {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::array<unsigned char, 10> bytes{};
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) throw std::runtime_error("no randomness");
  std::string nonce;
  for (const auto byte : bytes) nonce += letters[byte % letters.size()];
  return nonce;
}

std::string md5_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return {};
  core::Hasher hasher(core::Hasher::Algorithm::md5);
  std::vector<char> buffer(1 << 20);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0)
    hasher.add({buffer.data(), static_cast<std::size_t>(file.gcount())});
  return hasher.finish_hex();
}

}  // namespace nucleus::client
