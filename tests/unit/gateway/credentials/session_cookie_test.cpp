#include "gateway/credentials/session_cookie.hpp"

#include <gtest/gtest.h>

namespace nucleus::gateway {
namespace {

const std::string plain = "http://127.0.0.1:8080";
const std::string secure = "https://nucleus.example.org";

core::http::Request request_of(const std::string& path, core::http::Headers headers,
                               const std::string& method = "GET") {
  core::http::Request request{.method = method, .target = path, .headers = std::move(headers)};
  request.path = path;
  return request;
}

std::string token_of(const core::http::Request& request, const std::string& base_url) {
  return session_token({.request = request, .base_url = base_url});
}

TEST(SessionCookie, IsFoundAmongOthers) {
  const auto request = request_of("/v2/me", {{"Cookie", "a=b; nucleus-session=t0; c="}});
  EXPECT_EQ(token_of(request, plain), "t0");
}

TEST(SessionCookie, MayBeTheLastOne) {
  EXPECT_EQ(token_of(request_of("/v2/me", {{"Cookie", "nucleus-session=t0"}}), plain), "t0");
}

TEST(SessionCookie, IsNotOneWhoseNameEndsAlike) {
  EXPECT_EQ(token_of(request_of("/v2/me", {{"Cookie", "x-nucleus-session=t0;  ;"}}), plain), "");
  EXPECT_EQ(token_of(request_of("/v2/me", {{"Cookie", ";;;"}}), plain), "");
}

TEST(SessionCookie, OverTlsIsOnlyOneThatThisHostHasSet) {
  const std::string both = "nucleus-session=other; __Host-nucleus-session=own";
  EXPECT_EQ(token_of(request_of("/v2/me", {{"Cookie", both}}), secure), "own");
  EXPECT_EQ(token_of(request_of("/v2/me", {{"Cookie", "nucleus-session=other"}}), secure), "");
}

TEST(SessionCookie, CountsForVersion2Alone) {
  for (const char* path : {"/v1/cluster/", "/api/v1/account/projects", "/", "/v20/me"})
    EXPECT_EQ(token_of(request_of(path, {{"Cookie", "nucleus-session=t0"}}), plain), "") << path;
}

TEST(SessionCookie, CountsNotBesideAnAuthorization) {
  const auto request =
      request_of("/v2/me", {{"Cookie", "nucleus-session=t0"}, {"Authorization", "Token x"}});
  EXPECT_EQ(token_of(request, plain), "");
}

TEST(SessionCookie, IsHiddenFromScriptsAndOtherSites) {
  EXPECT_EQ(session_cookie("t0", 60, plain),
            "nucleus-session=t0; Max-Age=60; Path=/; HttpOnly; SameSite=Strict");
  EXPECT_EQ(session_cookie("t0", 60, secure),
            "__Host-nucleus-session=t0; Max-Age=60; Path=/; HttpOnly; SameSite=Strict; Secure");
  EXPECT_EQ(no_session_cookie(plain),
            "nucleus-session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict");
}

TEST(SessionCookie, ChangesNothingUnlessAPageOfTheGatewayAsks) {
  EXPECT_FALSE(needs_own_page(request_of("/v2/me", {})));
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"})
    EXPECT_TRUE(needs_own_page(request_of("/v2/me", {}, method)));
  auto socket = request_of("/v2/events", {});
  socket.is_upgrade = true;
  EXPECT_TRUE(needs_own_page(socket));
}

TEST(SessionCookie, AnOriginIsTheGatewaysOwnOnlyIfItIsEqual) {
  const std::string base = secure + "/nucleus";
  const auto is_own = [&](const std::string& origin) {
    const auto request = request_of("/v2/me", {{"Origin", origin}});
    return is_from_own_page({.request = request, .base_url = base});
  };
  EXPECT_TRUE(is_own(secure));
  for (const std::string& other : {std::string(), std::string("null"), secure + ".evil.org",
                                   "http" + secure.substr(5), secure + ":8443", secure + "/"})
    EXPECT_FALSE(is_own(other)) << other;
}

}  // namespace
}  // namespace nucleus::gateway
