// The limits of what clients hold.
#include "core/http/client_counter.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/http/server_state.hpp"

namespace nucleus::core::http {
namespace {

TEST(ClientCounter, RefusesAClientAtItsLimitAndAllAtTheirs) {
  ClientCounter<std::string> counter({.all = 5, .per_client = 3});
  EXPECT_TRUE(counter.take("a", 3));
  EXPECT_FALSE(counter.take("a"));
  EXPECT_TRUE(counter.take("b", 2));
  EXPECT_FALSE(counter.take("b")) << "all hold 5";
  EXPECT_FALSE(counter.take("c"));
}

TEST(ClientCounter, HasRoomForWhatWasReleasedAndNothingForWhatWasRefused) {
  ClientCounter<int> counter({.all = 4, .per_client = 3});
  EXPECT_FALSE(counter.take(1, 4));
  EXPECT_TRUE(counter.take(1, 3));
  EXPECT_FALSE(counter.take(2, 2));
  counter.release(1, 1);
  EXPECT_TRUE(counter.take(2, 2));
  EXPECT_FALSE(counter.take(1));
  counter.release(2, 2);
  EXPECT_TRUE(counter.take(1));
}

TEST(ClientShare, CountsAllAddressesOfAnIpv6NetworkAsOneClient) {
  AddressCounter counter({.all = 10, .per_client = 1});
  const auto share = [&](const char* address) {
    return ClientShare(counter, boost::asio::ip::make_address(address));
  };
  auto first = share("2001:db8:0:1::1");
  EXPECT_TRUE(first.take(1));
  EXPECT_FALSE(share("2001:db8:0:1:ffff:ffff:ffff:ffff").take(1));
  EXPECT_TRUE(share("2001:db8:0:2::1").take(1));
  EXPECT_EQ(first.client().to_string(), "2001:db8:0:1::");
  EXPECT_EQ(share("192.0.2.7").client().to_string(), "192.0.2.7");
}

}  // namespace
}  // namespace nucleus::core::http
