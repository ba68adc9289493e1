// URLs of servers and their parts.
#include "client/http/url.hpp"

#include <gtest/gtest.h>

namespace nucleus::client {
namespace {

TEST(BaseUrl, IsHttpOrHttpsWithAHostAndNothingElse) {
  EXPECT_EQ(parse_base_url("http://127.0.0.1:8080/nucleus/"), "http://127.0.0.1:8080/nucleus");
  EXPECT_EQ(parse_base_url("HTTPS://[::1]"), "https://[::1]");
  EXPECT_EQ(parse_base_url("http://[2001:db8::1]:8080/"), "http://[2001:db8::1]:8080");
  for (const char* wrong : {"", "ftp://h", "http://", "http://u@h", "http://h:x", "h:80", "h",
                            "http://h/?q=1", "http://h/#f", "http://a b", "file:///etc/passwd"})
    EXPECT_FALSE(parse_base_url(wrong)) << wrong;
}

TEST(Origin, IsSchemeHostAndPort) {
  EXPECT_EQ(origin_of("https://h/a/b?c=d"), "https://h:443");
  EXPECT_EQ(origin_of("HTTP://H:80/"), origin_of("http://h"));
  EXPECT_EQ(origin_of("http://[::1]:8080/x"), "http://[::1]:8080");
  EXPECT_NE(origin_of("http://h"), origin_of("https://h"));
  EXPECT_NE(origin_of("http://h"), origin_of("http://h.example"));
  EXPECT_EQ(origin_of("no url"), "");
}

TEST(WebSocketUrl, HasItsPartsAndDefaultPorts) {
  const auto plain = parse_websocket_url("ws://console.example/console?a=b");
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->is_secure);
  EXPECT_EQ(plain->host, "console.example");
  EXPECT_EQ(plain->port, 80);
  EXPECT_EQ(plain->path, "/console?a=b");
  const auto secure = parse_websocket_url("wss://[::1]/console");
  ASSERT_TRUE(secure);
  EXPECT_TRUE(secure->is_secure);
  EXPECT_EQ(secure->host, "::1");
  EXPECT_EQ(secure->port, 443);
  EXPECT_EQ(parse_websocket_url("ws://127.0.0.1:8081/console")->port, 8081);
  for (const char* wrong : {"", "http://h/", "ws://", "ws://u@h/", "ws://h:99999/", "h"})
    EXPECT_FALSE(parse_websocket_url(wrong)) << wrong;
}

TEST(Encoded, EscapesAllButUnreservedCharacters) {
  EXPECT_EQ(encoded("public/a b.iso"), "public%2Fa%20b.iso");
  EXPECT_EQ(encoded("A-z_0.~"), "A-z_0.~");
  EXPECT_EQ(encoded("\xc3\xa9&="), "%C3%A9%26%3D");
  EXPECT_EQ(encoded(""), "");
}

}  // namespace
}  // namespace nucleus::client
