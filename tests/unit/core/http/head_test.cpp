// The end of a head, and the bytes that are refused in it.
#include "core/http/head.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nucleus::core::http {
namespace {

TEST(Head, EndsWithItsEmptyLine) {
  const std::string head = "GET / HTTP/1.1\r\nHost: n\r\n\r\n";
  const auto scan = scan_head(head + "body", 0);
  EXPECT_TRUE(scan.is_complete);
  EXPECT_EQ(scan.size, head.size());
  EXPECT_STREQ(scan.error, "");
}

TEST(Head, IsScannedTheSameHoweverItsBytesArrive) {
  const std::string head = "GET / HTTP/1.1\r\nHost: n\r\n\r\n";
  for (std::size_t first = 0; first < head.size(); ++first) {
    EXPECT_FALSE(scan_head(std::string_view(head).substr(0, first), 0).is_complete);
    EXPECT_EQ(scan_head(head, first).size, head.size()) << first;
  }
}

TEST(Head, RefusesBytesThatProxiesInterpretDifferently) {
  using namespace std::string_literals;
  for (const std::string& head :
       {"GET / HTTP/1.1\nHost: n\n\n"s, "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n"s,
        "GET / HTTP/1.1\r\nX: a\rb\r\n\r\n"s, "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n"s,
        "GET / HTTP/1.1\r\nX:\r\n\tb\r\n\r\n"s})
    EXPECT_STRNE(scan_head(head, 0).error, "") << head;
}

TEST(Head, AcceptsNamesAndAddressesAsHost) {
  for (const char* host : {"n", "example.org:8080", "127.0.0.1", "[::1]:80"})
    EXPECT_TRUE(is_valid_host(host)) << host;
  for (const std::string& host :
       {std::string(), std::string("a/b"), std::string("a b"), std::string(256, 'a')})
    EXPECT_FALSE(is_valid_host(host)) << host;
}

}  // namespace
}  // namespace nucleus::core::http
