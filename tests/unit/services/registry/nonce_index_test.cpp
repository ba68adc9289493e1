// Which nonces are stored, and until when.
#include "services/registry/nonce_index.hpp"

#include <gtest/gtest.h>

namespace nucleus::registry {
namespace {

/// PERSON or PERSON-NUMBER is a key of this person.
StoredNonce a_nonce(std::string key, std::string nonce, std::int64_t expires_unix_s) {
  const msg::PersonId person_id{key.substr(0, key.find('-'))};
  return {.key_name = std::move(key),
          .nonce = std::move(nonce),
          .expires_unix_s = expires_unix_s,
          .person_id = person_id};
}

TEST(NonceIndex, CountsByPersonAlsoThoseOfReplacedKeys) {
  NonceIndex index;
  index.add(a_nonce("a", "1", 10));
  index.add(a_nonce("a-2", "2", 11));
  index.add(a_nonce("b", "1", 12));
  EXPECT_EQ(index.size(), 3u);
  EXPECT_EQ(index.count({"a"}), 2u);
  EXPECT_EQ(index.count({"c"}), 0u);
}

TEST(NonceIndex, ForgetsTheExpiredOldestFirstAndNoMoreThanAsked) {
  NonceIndex index;
  index.add(a_nonce("a", "late", 30));
  index.add(a_nonce("a", "first", 10));
  index.add(a_nonce("a", "second", 20));
  EXPECT_TRUE(index.take_expired(10, 9).empty());  // refused only because of the nonce
  const auto one = index.take_expired(25, 1);
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].nonce, "first");
  EXPECT_EQ(index.take_expired(25, 9).size(), 1u);
  EXPECT_EQ(index.size(), 1u);
  EXPECT_EQ(index.count({"a"}), 1u);
  EXPECT_EQ(index.take_expired(31, 9).size(), 1u);
  EXPECT_EQ(index.count({"a"}), 0u);
}

}  // namespace
}  // namespace nucleus::registry
