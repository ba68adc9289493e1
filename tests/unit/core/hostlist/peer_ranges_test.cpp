// Compressing the peers of a cluster into ranges.
#include "core/hostlist/peer_ranges.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace nucleus::core::hostlist {
namespace {

using Peers = std::vector<msg::Peer>;

/// The ranges of `peers` as NAMES=FIRST_IP; checks that they expand to `peers`.
std::vector<std::string> ranges_of(const Peers& peers) {
  const auto ranges = collect_peers(peers);
  const auto back = expand_peers(ranges);
  EXPECT_TRUE(back);
  EXPECT_EQ(back->size(), peers.size());
  for (std::size_t i = 0; i < std::min(back->size(), peers.size()); ++i) {
    EXPECT_EQ((*back)[i].name, peers[i].name);
    EXPECT_EQ((*back)[i].ip, peers[i].ip);
  }
  std::vector<std::string> texts;
  for (const auto& range : ranges) texts.push_back(range.names + "=" + range.first_ip);
  return texts;
}

TEST(PeerRanges, ACompressedClusterIsItsFrontendAndOneRange) {
  Peers peers{{"demo", "10.0.0.1"}};
  for (int i = 0; i < 3; ++i)
    peers.push_back({"vm-demo-0" + std::to_string(i), "10.0.0." + std::to_string(i + 2)});
  EXPECT_EQ(ranges_of(peers),
            (std::vector<std::string>{"demo=10.0.0.1", "vm-demo-[00-02]=10.0.0.2"}));
}

TEST(PeerRanges, ContinueAcrossOctetsAndWidths) {
  EXPECT_EQ(ranges_of({{"n98", "10.0.0.254"}, {"n99", "10.0.0.255"}, {"n100", "10.0.1.0"}}),
            (std::vector<std::string>{"n[98-100]=10.0.0.254"}));
}

TEST(PeerRanges, KeepOtherPeersSeparate) {
  EXPECT_EQ(ranges_of({{"a1", "10.0.0.1"}, {"a2", "10.0.0.3"}}),
            (std::vector<std::string>{"a1=10.0.0.1", "a2=10.0.0.3"}));
  EXPECT_EQ(ranges_of({{"a1", "10.0.0.1"}, {"b2", "10.0.0.2"}}),
            (std::vector<std::string>{"a1=10.0.0.1", "b2=10.0.0.2"}));
  EXPECT_EQ(ranges_of({{"a1", "10.0.0.1"}, {"a02", "10.0.0.2"}}),
            (std::vector<std::string>{"a1=10.0.0.1", "a02=10.0.0.2"}));
  EXPECT_EQ(ranges_of({{"one", "10.0.0.1"}, {"two", "10.0.0.2"}}),
            (std::vector<std::string>{"one=10.0.0.1", "two=10.0.0.2"}));
  EXPECT_TRUE(ranges_of({}).empty());
}

TEST(PeerRanges, SupportNumbersOfAnyLength) {
  ranges_of({{"n99999999999", "10.0.0.1"}, {"n100000000000", "10.0.0.2"}});
}

TEST(PeerRanges, RefuseAnInvalidRange) {
  const auto refused = [](const char* names, const char* ip) {
    const std::vector<msg::PeerRange> ranges{{names, ip}};
    const auto peers = expand_peers(ranges);
    return !peers && peers.error().code == ErrorCode::invalid_argument;
  };
  EXPECT_TRUE(refused("n[0-", "10.0.0.1"));
  EXPECT_TRUE(refused("n[0-999999999]", "10.0.0.1"));
  EXPECT_TRUE(refused("n[0-9]", "10.0.0"));
}

}  // namespace
}  // namespace nucleus::core::hostlist
