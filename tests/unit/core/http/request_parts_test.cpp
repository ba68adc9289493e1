#include "core/http/request_parts.hpp"

#include <gtest/gtest.h>

#include "core/digest/digest.hpp"

namespace nucleus::core::http {
namespace {

std::optional<std::string> token_in(const std::string& credential) {
  return token_of({.headers = {{"Authorization", credential}}});
}

std::string basic(const std::string& pair) {
  return "Basic " + to_base64(pair);
}

TEST(TokenOf, IsTheBearerTokenOrThePasswordOfBasic) {
  EXPECT_EQ(token_in("Bearer secret"), "secret");
  EXPECT_EQ(token_in("bearer secret"), "secret");
  EXPECT_EQ(token_in(basic("anyone:secret")), "secret");
  EXPECT_EQ(token_in(basic(":se:cret")), "se:cret");
  EXPECT_EQ(token_in("Bearer " + std::string(128, 't')), std::string(128, 't'));
}

TEST(TokenOf, IsNothingWithoutOne) {
  EXPECT_FALSE(token_of({}));
  for (const auto& credential :
       {std::string("Bearer"), std::string("Bearer "), std::string("Token secret"),
        std::string("Basic"), std::string("Basic ###"), basic(""), basic("anyone"),
        basic("anyone:"), "Bearer " + std::string(129, 't'), basic(":" + std::string(129, 't'))})
    EXPECT_FALSE(token_in(credential)) << credential;
}

}  // namespace
}  // namespace nucleus::core::http
