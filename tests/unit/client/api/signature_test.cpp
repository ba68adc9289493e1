// The API-key signature, compared with a vector of the first generation.
#include "client/api/signature.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nucleus::client {
namespace {

TEST(Signature, EqualsTheOneOfTheFirstGeneration) {
  EXPECT_EQ(sign("REALAPISECRET", "ABC123DEF4", "1467000000"),
            "HqLrfpWGk8e6/jjw7OyrjRvCAP30ym4c0UiRXqhsQ0M=");
}

TEST(Signature, DependsOnEachOfItsParts) {
  const std::set<std::string> all = {sign("s", "N", "1"), sign("t", "N", "1"), sign("s", "M", "1"),
                                     sign("s", "N", "2"), sign("", "N", "1"),  sign("s", "", "1"),
                                     sign("s", "N", "")};
  EXPECT_EQ(all.size(), 7U);
}

TEST(Signature, UsesARandomNonceOfTenCapitalsAndDigits) {
  std::set<std::string> all;
  for (int i = 0; i < 1000; ++i) {
    const auto nonce = new_nonce();
    EXPECT_EQ(nonce.size(), 10U);
    EXPECT_EQ(nonce.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), std::string::npos);
    all.insert(nonce);
  }
  EXPECT_EQ(all.size(), 1000U);
}

}  // namespace
}  // namespace nucleus::client
