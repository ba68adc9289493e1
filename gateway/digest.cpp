#include "gateway/digest.hpp"

#include <openssl/evp.h>

#include <memory>
#include <new>

namespace nucleus::gateway {

Digest sha256(std::string_view bytes) {
  // To find the algorithm costs more than to run it.
  struct Algorithm {
    std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> kind{EVP_MD_fetch(nullptr, "SHA256", nullptr),
                                                         &EVP_MD_free};
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> run{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
  };
  thread_local const Algorithm algorithm;
  Digest digest{};
  if (!algorithm.kind || !algorithm.run ||
      EVP_DigestInit_ex2(algorithm.run.get(), algorithm.kind.get(), nullptr) != 1 ||
      EVP_DigestUpdate(algorithm.run.get(), bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(algorithm.run.get(), digest.data(), nullptr) != 1)
    throw std::bad_alloc();
  return digest;
}

}  // namespace nucleus::gateway
