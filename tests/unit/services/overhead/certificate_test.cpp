// The canonical text of a certificate, its signature, and the key's file.
#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/stat.h>

#include <cmath>
#include <fstream>

#include "services/overhead/certificate_text.hpp"
#include "services/overhead/driver/signing_key.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::overhead {
namespace {

msg::Certificate a_certificate() {
  return {.certificate_id = "0000000100-abcdef01",
          .cluster_id = {"c"},
          .ended_unix_s = 100,
          .hosts = {{"h1"}, {"h2"}},
          .is_single_host = true,
          .figures = {{.measurement = "mpi_latency", .native = {0.1, 3}, .virtual_ = {1e-7}}},
          .public_key = "aa",
          .signature = "bb"};
}

TEST(CertificateText, HasEachValueOnALineAndNoSignature) {
  const auto text = canonical_text(a_certificate());
  EXPECT_TRUE(text.starts_with("nucleus overhead certificate 1\n")) << text;
  for (const char* line :
       {"\ncertificate_id=0000000100-abcdef01\n", "\nended_unix_s=100\n", "\nhosts/1=h2\n",
        "\nis_single_host=true\n", "\nfigures/0/native/0=0.10000000000000001\n",
        "\nfigures/0/native/1=3\n", "\nfigures/0/virtual/0=9.9999999999999995e-08\n",
        "\nfigures/0/direction=unknown\n", "\npublic_key=aa\n", "\nfigures/0/reason=\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  EXPECT_EQ(text.find("signature"), std::string::npos);
}

TEST(CertificateText, ChangesWithEveryValue) {
  const auto text = canonical_text(a_certificate());
  auto changed = a_certificate();
  changed.figures[0].virtual_[0] = std::nextafter(1e-7, 1);
  EXPECT_NE(canonical_text(changed), text);
  changed = a_certificate();
  changed.signature = "cc";
  EXPECT_EQ(canonical_text(changed), text);
}

TEST(SigningKey, IsMadeOnceAndItsSignaturesAreVerified) {
  const tests::TemporaryFolder folder;
  const std::string path = folder.path() + "/signing.key";
  const auto key = SigningKey::open(path);
  ASSERT_TRUE(key) << key.error().detail;
  struct stat known = {};
  ASSERT_EQ(stat(path.c_str(), &known), 0);
  EXPECT_EQ(known.st_mode & 0777, 0600U);
  const auto again = SigningKey::open(path);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->public_key(), key->public_key());
  EXPECT_EQ(key->public_key().size(), 64U);

  const std::string text = "a certificate";
  const auto bytes = [](const std::string& hex) {
    std::string read(hex.size() / 2, '\0');
    EXPECT_EQ(sodium_hex2bin(reinterpret_cast<unsigned char*>(read.data()), read.size(), hex.data(),
                             hex.size(), nullptr, nullptr, nullptr),
              0);
    return read;
  };
  const auto verify = [&](const std::string& signed_text) {
    return crypto_sign_verify_detached(
        reinterpret_cast<const unsigned char*>(bytes(again->sign(text)).data()),
        reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(),
        reinterpret_cast<const unsigned char*>(bytes(key->public_key()).data()));
  };
  EXPECT_EQ(verify(text), 0);
  EXPECT_NE(verify(text + "."), 0);
}

TEST(SigningKey, IsRefusedIfOthersMayReadItOrItIsNoKey) {
  const tests::TemporaryFolder folder;
  const std::string path = folder.path() + "/signing.key";
  std::ofstream(path) << "no key\n";
  chmod(path.c_str(), 0600);
  EXPECT_EQ(SigningKey::open(path).error().detail, path + " is not a signing key");
  chmod(path.c_str(), 0640);
  EXPECT_EQ(SigningKey::open(path).error().detail, path + " can be read by others: chmod 600 it");
}

}  // namespace
}  // namespace nucleus::overhead
