// Which ports of a fabric are read in one turn.
#include "services/network/driver/port_rotation.hpp"

#include <gtest/gtest.h>

namespace nucleus::network {
namespace {

std::vector<EndPort> ports_up_to(std::uint64_t count) {
  std::vector<EndPort> ports;
  for (std::uint64_t i = 1; i <= count; ++i)
    ports.push_back({.guid = {i}, .lid = static_cast<std::uint32_t>(i), .number = 1});
  return ports;
}

std::set<std::uint64_t> read_turn(PortRotation& rotation, std::uint64_t count) {
  std::set<std::uint64_t> read;
  for (const auto& port : rotation.due(ports_up_to(count))) {
    read.insert(port.guid.value);
    rotation.take(port.guid, {0x7fff});
  }
  return read;
}

TEST(PortRotation, ReadsEveryPortAtFirstAndEachAgainInTurn) {
  PortRotation rotation;
  EXPECT_EQ(read_turn(rotation, 200).size(), 200u);
  std::set<std::uint64_t> read;
  for (int turn = 0; turn < 4; ++turn) {
    const auto in_turn = read_turn(rotation, 200);
    EXPECT_EQ(in_turn.size(), ports_in_turn);
    read.insert(in_turn.begin(), in_turn.end());
  }
  EXPECT_EQ(read.size(), 200u);
}

TEST(PortRotation, ReadsFirstWhatMustBeRead) {
  PortRotation rotation;
  (void)read_turn(rotation, 200);
  (void)read_turn(rotation, 200);  // 1..64
  rotation.must_read({{1}, {2}});
  const auto read = read_turn(rotation, 200);
  EXPECT_TRUE(read.contains(1) && read.contains(2));
  EXPECT_EQ(read.size(), ports_in_turn + 2);
  rotation.must_read_all();
  EXPECT_EQ(read_turn(rotation, 200).size(), 200u);
}

TEST(PortRotation, AlsoReadsThePortsThatAreAskedFor) {
  PortRotation rotation;
  (void)read_turn(rotation, 200);
  (void)read_turn(rotation, 200);  // 1..64
  rotation.must_read({{1}});
  rotation.must_also_read({{2}, {900}});
  const auto read = read_turn(rotation, 200);
  EXPECT_TRUE(read.contains(1) && read.contains(2));
  EXPECT_EQ(read.size(), ports_in_turn + 2);
}

TEST(PortRotation, ReadsAgainAPortThatWasNotOnTheFabric) {
  PortRotation rotation;
  (void)read_turn(rotation, 200);
  (void)read_turn(rotation, 199);
  EXPECT_FALSE(rotation.tables().contains({200}));
  EXPECT_TRUE(read_turn(rotation, 200).contains(200));
}

}  // namespace
}  // namespace nucleus::network
