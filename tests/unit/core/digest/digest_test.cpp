// Digests against published vectors; hex and base64 there and back.
#include "core/digest/digest.hpp"

#include <gtest/gtest.h>

#include <random>

namespace nucleus::core {
namespace {

std::string text_of(const std::optional<std::string>& bytes) {
  return bytes.value_or("(refused)");
}

TEST(Digest, Sha256MatchesItsPublishedVectors) {  // FIPS 180-4
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256("abc")), sha256_hex("abc"));
}

TEST(Digest, HmacMatchesItsPublishedVector) {  // RFC 4231, test case 2
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_TRUE(is_equal_in_constant_time(hmac_sha256("", ""), hmac_sha256("", "")));
  EXPECT_FALSE(is_equal_in_constant_time(hmac_sha256("", ""), hmac_sha256("", "x")));
}

TEST(Digest, AHasherGivesTheSameDigestForPieces) {
  Hasher sha(Hasher::Algorithm::sha256);
  Hasher md5(Hasher::Algorithm::md5);
  for (const char* part : {"a", "", "bc"}) {
    sha.add(part);
    md5.add(part);
  }
  EXPECT_EQ(sha.finish_hex(), sha256_hex("abc"));
  EXPECT_EQ(md5.finish_hex(), "900150983cd24fb0d6963f7d28e17f72");  // RFC 1321
}

TEST(Digest, Base64MatchesItsPublishedVectors) {  // RFC 4648
  const std::string words = "foobar";
  const char* const expected[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
  for (std::size_t size = 0; size <= words.size(); ++size) {
    EXPECT_EQ(to_base64(words.substr(0, size)), expected[size]);
    EXPECT_EQ(text_of(from_base64(expected[size])), words.substr(0, size));
  }
  const unsigned char bytes[] = {0xfb, 0xff, 0xfe, 0xff};
  EXPECT_EQ(to_base64(bytes), "+//+/w==");
  EXPECT_EQ(to_base64url(bytes), "-__-_w");
}

TEST(Digest, Base64RefusesWhatItDoesNotWrite) {
  for (const char* text : {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", " Zg=",
                           "Zg==\n", "Zm9v\n", "Zm-v", "Zm9*"})
    EXPECT_FALSE(from_base64(text)) << text;
}

TEST(Digest, Base64AndHexKeepEveryByte) {
  std::mt19937 random(5);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    EXPECT_EQ(text_of(from_base64(to_base64(bytes))), bytes);
  }
  EXPECT_EQ(to_hex(std::array<unsigned char, 3>{0x00, 0x7f, 0xff}), "007fff");
}

}  // namespace
}  // namespace nucleus::core
