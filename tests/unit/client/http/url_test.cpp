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

TEST(Encoded, EscapesAllButUnreservedCharacters) {
  EXPECT_EQ(encoded("public/a b.iso"), "public%2Fa%20b.iso");
  EXPECT_EQ(encoded("A-z_0.~"), "A-z_0.~");
  EXPECT_EQ(encoded("\xc3\xa9&="), "%C3%A9%26%3D");
  EXPECT_EQ(encoded(""), "");
}

}  // namespace
}  // namespace nucleus::client
