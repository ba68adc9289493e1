#include "services/overhead/driver/signing_key.hpp"

#include <sodium.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "core/digest/digest.hpp"
#include "core/files/files.hpp"

namespace nucleus::overhead {

using core::ErrorCode;

namespace {

constexpr mode_t private_mode = 0600;
constexpr mode_t others = 0077;

using Seed = std::array<unsigned char, crypto_sign_SEEDBYTES>;

core::Result<Seed> read_seed(const std::string& path) {
  struct stat known = {};
  if (stat(path.c_str(), &known) != 0) return core::refuse_errno(path);
  if ((known.st_mode & others) != 0)
    return core::refuse(ErrorCode::invalid_argument, path + " can be read by others: chmod 600 it");
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Seed seed{};
  std::size_t bytes = 0;
  if (sodium_hex2bin(seed.data(), seed.size(), text.data(), text.size(), "\n", &bytes, nullptr) !=
          0 ||
      bytes != seed.size())
    return core::refuse(ErrorCode::invalid_argument, path + " is not a signing key");
  return seed;
}

core::Result<Seed> make_seed(const std::string& path) {
  Seed seed{};
  randombytes_buf(seed.data(), seed.size());
  const auto kept = core::replace_file(path, core::to_hex(seed) + "\n",
                                       {.mode = private_mode, .is_durable = true});
  if (!kept) return std::unexpected(kept.error());
  return seed;
}

}  // namespace

core::Result<SigningKey> SigningKey::open(const std::string& path) {
  if (sodium_init() < 0) return core::refuse(ErrorCode::internal, "libsodium cannot be used");
  struct stat known = {};
  const auto seed = stat(path.c_str(), &known) == 0 ? read_seed(path) : make_seed(path);
  if (!seed) return std::unexpected(seed.error());
  SigningKey key;
  crypto_sign_seed_keypair(key.public_.data(), key.secret_.data(), seed->data());
  return key;
}

std::string SigningKey::public_key() const {
  return core::to_hex(public_);
}

std::string SigningKey::sign(std::string_view text) const {
  std::array<unsigned char, crypto_sign_BYTES> signature{};
  crypto_sign_detached(signature.data(), nullptr,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                       secret_.data());
  return core::to_hex(signature);
}

}  // namespace nucleus::overhead
