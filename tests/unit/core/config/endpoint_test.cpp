// ADDRESS:PORT: what is read, and what is refused.
#include "core/config/endpoint.hpp"

#include <gtest/gtest.h>

namespace nucleus::core {
namespace {

TEST(Endpoint, ReadsAnIpv4AndABracketedIpv6Address) {
  EXPECT_EQ(parse_endpoint("127.0.0.1:8080"),
            (Endpoint{.address = "127.0.0.1", .port = 8080, .is_ipv6 = false}));
  EXPECT_EQ(parse_endpoint("[::1]:0"), (Endpoint{.address = "::1", .port = 0, .is_ipv6 = true}));
}

TEST(Endpoint, IsWrittenAsItIsRead) {
  for (const char* text : {"127.0.0.1:8080", "0.0.0.0:0", "[::1]:65535", "[fe80::1:2]:1"}) {
    const auto endpoint = parse_endpoint(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(endpoint->text(), text);
  }
}

TEST(Endpoint, RefusesEverythingElse) {
  for (const std::string text :
       {"", ":", "127.0.0.1", "127.0.0.1:", ":80", "localhost:80", "127.0.0.1:65536",
        "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1: 1", "127.0.0.1:1 ", "127.0.0.1:0x1", "::1:80",
        "[::1]", "[127.0.0.1]:80", "[]:80", "[:80", "127.0.0:80", "[fe80::1%lo]:80"})
    EXPECT_FALSE(parse_endpoint(text)) << text;
  EXPECT_FALSE(parse_endpoint(std::string("127.0.0.1\0x:80", 14)));
}

}  // namespace
}  // namespace nucleus::core
