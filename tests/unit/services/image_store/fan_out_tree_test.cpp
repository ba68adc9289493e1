#include "services/image_store/fan_out_tree.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/chunks/chunk.hpp"
#include "services/image_store/driver/chunk_hosts.hpp"

namespace nucleus::image_store {
namespace {

std::vector<FanOutMember> members(std::size_t count, std::int64_t joined = 100) {
  std::vector<FanOutMember> all;
  for (std::size_t i = 0; i < count; ++i)
    all.push_back({.endpoint = "10.0.0." + std::to_string(i) + ":9410", .joined_unix_s = joined});
  return all;
}

TEST(FanOutTree, HasParentsAboveEachMemberButTheRoot) {
  EXPECT_TRUE(fan_out_parents(0, 2).empty());
  EXPECT_EQ(fan_out_parents(1, 2), (std::vector<std::size_t>{0}));
  EXPECT_EQ(fan_out_parents(4, 2), (std::vector<std::size_t>{0}));
  EXPECT_EQ(fan_out_parents(5, 2), (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(fan_out_parents(63, 2), (std::vector<std::size_t>{15, 3}));
  std::map<std::size_t, int> children;
  for (std::size_t rank = 1; rank < 64; ++rank) ++children[fan_out_parents(rank, 1).front()];
  EXPECT_TRUE(std::ranges::all_of(children, [](const auto& one) { return one.second <= 4; }));
}

TEST(FanOutTree, OrdersAnyTwoMembersAlikeWhoeverElseIsThere) {
  auto all = members(40);
  all[7].joined_unix_s = 50;
  for (std::size_t stripe = 0; stripe < 16; ++stripe) {
    const auto order = fan_out_order(all, stripe);
    std::vector<FanOutMember> some;
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < all.size(); i += 3) {
      some.push_back(all[i]);
      which.push_back(i);
    }
    std::vector<std::size_t> expected;
    for (const auto member : order)
      if (std::ranges::find(which, member) != which.end()) expected.push_back(member);
    std::vector<std::size_t> found;
    for (const auto member : fan_out_order(some, stripe)) found.push_back(which[member]);
    EXPECT_EQ(found, expected) << stripe;
    EXPECT_EQ(order.front(), 7U) << "it joined an earlier ten seconds";
  }
}

TEST(FanOutTree, LetsEachMemberSendAboutAsMuchAsItReceives) {
  const auto all = members(64);
  std::vector<double> copies(all.size());  // of the whole content
  std::set<std::size_t> roots;
  for (std::size_t stripe = 0; stripe < msg::fan_out_stripes; ++stripe) {
    const auto order = fan_out_order(all, stripe);
    roots.insert(order.front());
    for (std::size_t rank = 1; rank < order.size(); ++rank)
      copies[order[fan_out_parents(rank, 1).front()]] += 1.0 / msg::fan_out_stripes;
  }
  EXPECT_LE(*std::ranges::max_element(copies), 2.5) << "of 4 in a single tree";
  EXPECT_GE(roots.size(), 10U);
}

msg::JoinFanOut a_join(const std::string& endpoint) {
  return {.endpoint = endpoint, .authority = "PEM of " + endpoint, .key = std::string(64, 'k')};
}

TEST(ChunkHosts, NamesHostsAboveWithTicketsThatTheyAccept) {
  ChunkHosts hosts;
  const auto first = hosts.join("c", a_join("10.0.0.1:1"), 1000);
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->peers.empty());
  EXPECT_EQ(first->joined_unix_s, 1000);
  const auto second = hosts.join("c", a_join("10.0.0.2:1"), 1020);
  ASSERT_TRUE(second);
  EXPECT_FALSE(msg::check(*second));
  ASSERT_EQ(second->peers.size(), 1U);
  const auto& peer = second->peers.front();
  EXPECT_EQ(peer.endpoint, "10.0.0.1:1");
  EXPECT_EQ(peer.authority, "PEM of 10.0.0.1:1");
  EXPECT_TRUE(core::is_chunk_ticket(peer.ticket, std::string(64, 'k'), "c", 1021));
  for (const auto& stripe : second->stripes) EXPECT_EQ(stripe, (std::vector<std::uint32_t>{0}));
  EXPECT_TRUE(hosts.join("c", a_join("10.0.0.1:1"), 1021)->peers.empty()) << "it is above";
  EXPECT_TRUE(hosts.join("other", a_join("10.0.0.2:1"), 1021)->peers.empty());
}

TEST(ChunkHosts, ForgetsHostsThatSayNothingAndKeepsThePlaceOfThoseThatReturn) {
  ChunkHosts hosts;
  ASSERT_TRUE(hosts.join("c", a_join("10.0.0.1:1"), 1000));
  ASSERT_TRUE(hosts.join("c", a_join("10.0.0.2:1"), 1080));
  EXPECT_EQ(hosts.count(), 2U);
  EXPECT_TRUE(hosts.join("c", a_join("10.0.0.2:1"), 1091)->peers.empty());
  EXPECT_EQ(hosts.count(), 1U);
  auto back = a_join("10.0.0.1:1");
  back.joined_unix_s = 1000;  // as a store that was restarted hears it
  EXPECT_EQ(hosts.join("c", back, 1092)->joined_unix_s, 1000);
  EXPECT_EQ(hosts.join("c", a_join("10.0.0.2:1"), 1093)->peers.size(), 1U);
  back.endpoint = "10.0.0.3:1";
  back.joined_unix_s = 99999;
  EXPECT_EQ(hosts.join("c", back, 1094)->joined_unix_s, 1094) << "not in the future";
}

TEST(ChunkHosts, RefusesWhatIsNoEndpointAndServesWhoOnlyAsks) {
  ChunkHosts hosts;
  ASSERT_TRUE(hosts.join("c", a_join("10.0.0.1:1"), 1000));
  for (const auto* wrong : {"host:1", "10.0.0.1", "10.0.0.1:99999", "10.0.0.1:1/x"})
    EXPECT_EQ(hosts.join("c", a_join(wrong), 1000).error().field, "endpoint") << wrong;
  EXPECT_EQ(hosts.join("c", {}, 1000)->peers.size(), 1U);
  EXPECT_EQ(hosts.count(), 1U);
  ASSERT_TRUE(hosts.join("nobody", {}, 1000));
}

TEST(ChunkHosts, NamesAtMostTwoHostsForAStripe) {
  ChunkHosts hosts;
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(hosts.join("c", a_join("10.0.1." + std::to_string(i) + ":1"), 1000));
  const auto plan = hosts.join("c", a_join("10.0.2.1:1"), 1001);
  ASSERT_TRUE(plan);
  EXPECT_FALSE(msg::check(*plan));
  for (const auto& stripe : plan->stripes) EXPECT_LE(stripe.size(), 2U);
  EXPECT_LT(msg::encode(*plan).size(), msg::body_bytes_max);
}

}  // namespace
}  // namespace nucleus::image_store
