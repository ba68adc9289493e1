// Which URLs and addresses an image may be fetched from.
#include <gtest/gtest.h>

#include "services/image_store/driver/url_fetcher.hpp"

namespace nucleus::image_store {
namespace {

bool is_allowed(const std::string& address, const std::string& networks = {}) {
  const auto allowed = AllowedAddresses::from(networks);
  EXPECT_TRUE(allowed) << networks;
  return allowed && allowed->contains(boost::asio::ip::make_address(address));
}

std::string fault_of(const std::string& url, bool has_sha256 = true) {
  const auto checked = check_source_url(url, has_sha256);
  if (checked) return {};
  EXPECT_EQ(checked.error().field, "source_url");
  EXPECT_EQ(checked.error().code, core::ErrorCode::invalid_argument);
  return checked.error().detail;
}

TEST(AllowedAddresses, ArePublicOnes) {
  for (const char* address : {"9.9.9.9", "172.15.255.255", "172.32.0.0", "192.167.255.255",
                              "223.255.255.255", "2606:4700::1", "2a00:1450:4001:801::200e"})
    EXPECT_TRUE(is_allowed(address)) << address;
}

TEST(AllowedAddresses, AreNotThoseThatOnlyTheHeadReaches) {
  for (const char* address : {"0.0.0.0",
                              "10.1.2.3",
                              "100.64.0.1",
                              "127.0.0.1",
                              "127.255.255.255",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.168.1.1",
                              "198.18.0.1",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "::ffff:127.0.0.1",
                              "::ffff:10.0.0.1",
                              "64:ff9b::7f00:1",
                              "fd00::1",
                              "fe80::1",
                              "ff02::1",
                              "2002:7f00:1::",
                              "2001::1",
                              "2001:db8::1",
                              "3fff::1"})
    EXPECT_FALSE(is_allowed(address)) << address;
}

TEST(AllowedAddresses, AreThoseOfTheOperatorsNetworksToo) {
  EXPECT_TRUE(is_allowed("10.1.2.3", "192.168.0.0/16,10.1.0.0/16"));
  EXPECT_TRUE(is_allowed("::ffff:10.1.2.3", "10.1.0.0/16"));
  EXPECT_TRUE(is_allowed("10.1.2.3", "10.1.2.3/32"));
  EXPECT_TRUE(is_allowed("fd00:1::5", "fd00:1::/64"));
  EXPECT_FALSE(is_allowed("10.2.0.0", "10.1.0.0/16"));
  EXPECT_FALSE(is_allowed("fd00:1:0:1::5", "fd00:1::/64"));
}

TEST(AllowedAddresses, RefusesWhatIsNoNetwork) {
  for (const char* text : {"10.0.0.0", "10.0.0.0/33", "mirror.example/8", "10.0.0.0/8,", "/8"}) {
    const auto allowed = AllowedAddresses::from(text);
    EXPECT_EQ(allowed.has_value(), std::string(text) == "10.0.0.0/8,") << text;
  }
}

TEST(SourceUrl, IsHttps) {
  EXPECT_EQ(fault_of("https://images.example/disk.qcow2", false), "");
  EXPECT_EQ(fault_of("HTTPS://images.example:8443/a?b=c", false), "");
}

TEST(SourceUrl, IsHttpIfTheDigestIsKnown) {
  EXPECT_EQ(fault_of("http://images.example/disk.qcow2"), "");
  EXPECT_EQ(fault_of("http://images.example/disk.qcow2", false),
            "an http:// source_url needs sha256: nothing else tells whether the file is the right "
            "one");
}

TEST(SourceUrl, IsNothingElse) {
  for (const char* url : {"file:///etc/passwd", "/etc/passwd", "ftp://images.example/x",
                          "gopher://x", "images.example/x", "https://", "", "nbd://x"})
    EXPECT_FALSE(fault_of(url).empty()) << url;
}

TEST(SourceUrl, HasNoCredentials) {
  for (const char* url : {"https://me@images.example/x", "https://me:secret@images.example/x",
                          "https://:secret@images.example/x"})
    EXPECT_EQ(fault_of(url),
              "source_url must have no user and password: everybody in the project sees it");
}

TEST(SourceUrl, HasABound) {
  const std::string start = "https://images.example/";
  EXPECT_EQ(fault_of(start + std::string(source_url_bytes_max - start.size(), 'x')), "");
  EXPECT_EQ(fault_of(start + std::string(source_url_bytes_max - start.size() + 1, 'x')),
            "source_url must have at most 2048 bytes");
}

}  // namespace
}  // namespace nucleus::image_store
