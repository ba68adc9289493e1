// The contract of every partition driver: the same tests run on a real OpenSM with a simulated
// fabric (ibsim), and on the fabric in memory.
#include <gtest/gtest.h>

#include "services/network/driver/opensm.hpp"
#include "tests/support/private_fabric.hpp"
#include "tests/support/simulated_fabric.hpp"

namespace nucleus::tests {
namespace {

using network::Partitions;
using network::PortGuid;

constexpr std::size_t hosts = 5;  // the first is the subnet manager's

PortGuid port_of(std::size_t host) {
  return *network::parse_guid(PrivateFabric::guid(host));
}

class FabricWorld {
 public:
  virtual ~FabricWorld() = default;
  virtual network::PartitionDriver& driver() = 0;
  /// Writes what the subnet manager cannot read, and has it read.
  virtual void write_as_another_program() = 0;
  virtual void set_manager(bool is_up) = 0;
  virtual void set_link(std::size_t host, bool is_up) = 0;
};

class RealFabric : public FabricWorld {
 public:
  network::PartitionDriver& driver() override { return driver_; }
  PrivateFabric& fabric() { return fabric_; }
  void write_as_another_program() override {
    std::ofstream(fabric_.file("ib0/partitions.conf")) << "Default=0x7fff : ALL=limited, oops\n";
    fabric_.hang_up_manager();
  }
  void set_manager(bool is_up) override {
    is_up ? fabric_.start_manager() : fabric_.stop_manager();
  }
  void set_link(std::size_t host, bool is_up) override {
    fabric_.tell_simulator((is_up ? "ReLink \"h" : "Unlink \"h") + std::to_string(host) + "\"");
    // ibsim sends no trap when a link comes back; a sweep finds it.
    if (is_up) fabric_.hang_up_manager();
  }

 private:
  PrivateFabric fabric_{hosts};
  network::OpenSm driver_{{.directory = fabric_.file("ib0"), .tools_directory = fabric_.tools()}};
};

class FabricInMemory : public FabricWorld {
 public:
  network::PartitionDriver& driver() override { return fabric_; }
  void write_as_another_program() override { fabric_.write_as_another_program(); }
  void set_manager(bool is_up) override { fabric_.set_manager(is_up); }
  void set_link(std::size_t host, bool is_up) override { fabric_.set_link(port_of(host), is_up); }

 private:
  SimulatedFabric fabric_{{port_of(0), port_of(1), port_of(2), port_of(3), port_of(4)}};
};

bool has(const core::Result<network::FabricReading>& reading, std::size_t host,
         std::uint32_t pkey) {
  return reading && reading->tables.contains(port_of(host)) &&
         reading->tables.at(port_of(host)).contains(static_cast<std::uint16_t>(pkey | 0x8000));
}

/// The partitions take effect, and no port has another.
testing::AssertionResult take_effect(network::PartitionDriver& driver,
                                     const Partitions& partitions) {
  std::string last;
  const bool are_in_sync = eventually(
      [&] {
        const auto reading = driver.read({});
        if (!reading) last = reading.error().detail;
        if (!reading) return false;
        const auto faults = network::differences(partitions, *reading);
        last = faults.empty() ? "" : shown(faults.front());
        return faults.empty();
      },
      std::chrono::seconds{30});
  return are_in_sync ? testing::AssertionSuccess() : testing::AssertionFailure() << last;
}

template <class World>
class PartitionDriverContract : public testing::Test {
 protected:
  World world_ = {};
  network::PartitionDriver& driver_ = world_.driver();
};
using FabricWorlds = testing::Types<RealFabric, FabricInMemory>;
TYPED_TEST_SUITE(PartitionDriverContract, FabricWorlds);

TYPED_TEST(PartitionDriverContract, PutsEachPortIntoItsPartitionsAndNoOthers) {
  auto& driver = this->driver_;
  Partitions partitions{{0x101, {port_of(1), port_of(2)}}, {0x102, {port_of(3)}}};
  ASSERT_TRUE(driver.apply(partitions));
  ASSERT_TRUE(take_effect(driver, partitions));
  const auto reading = driver.read({});
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->manager, port_of(0));
  EXPECT_EQ(reading->tables.size(), hosts);
  EXPECT_TRUE(has(reading, 2, 0x101));
  EXPECT_FALSE(has(reading, 2, 0x102));
  EXPECT_EQ(driver.configured_difference(partitions).value(), "");

  // A port changes its partition; another leaves. Ports that are not on the fabric do no harm.
  partitions = {{0x101, {port_of(1)}}, {0x102, {port_of(2), port_of(3), PortGuid{0xdead}}}};
  EXPECT_NE(driver.configured_difference(partitions).value(), "");
  ASSERT_TRUE(driver.apply(partitions));
  EXPECT_TRUE(take_effect(driver, partitions));
  ASSERT_TRUE(driver.apply({}));
  EXPECT_TRUE(take_effect(driver, {}));
}

TYPED_TEST(PartitionDriverContract, ShowsWhatAnotherProgramWroteAndPutsItRight) {
  auto& driver = this->driver_;
  const Partitions partitions{{0x101, {port_of(1)}}, {0x102, {port_of(2)}}};
  ASSERT_TRUE(driver.apply(partitions));
  ASSERT_TRUE(take_effect(driver, partitions));
  this->world_.write_as_another_program();
  EXPECT_NE(driver.configured_difference(partitions).value(), "");
  // What it cannot read opens every partition.
  EXPECT_TRUE(eventually([&] {
    const auto reading = driver.read({});
    if (!reading) return false;
    const auto faults = network::differences(partitions, *reading);
    return !faults.empty() && faults.front().is_excess;
  }));
  ASSERT_TRUE(driver.apply(partitions));
  EXPECT_TRUE(take_effect(driver, partitions));
  EXPECT_EQ(driver.configured_difference(partitions).value(), "");
}

TYPED_TEST(PartitionDriverContract, KeepsThePartitionsOfAPortThatLosesItsLink) {
  auto& driver = this->driver_;
  const Partitions partitions{{0x101, {port_of(1), port_of(2)}}};
  ASSERT_TRUE(driver.apply(partitions));
  ASSERT_TRUE(take_effect(driver, partitions));
  this->world_.set_link(1, false);
  EXPECT_TRUE(eventually([&] {
    const auto reading = driver.read({});
    return reading && !reading->tables.contains(port_of(1));
  }));
  EXPECT_TRUE(take_effect(driver, partitions));  // the others are not disturbed
  this->world_.set_link(1, true);
  EXPECT_TRUE(eventually([&] { return has(driver.read({}), 1, 0x101); }, std::chrono::seconds{60}));
  EXPECT_TRUE(take_effect(driver, partitions));
}

TYPED_TEST(PartitionDriverContract, SaysThatThereIsNoManagerAndIsRightOnceItIsBack) {
  auto& driver = this->driver_;
  ASSERT_TRUE(driver.apply({{0x101, {port_of(1)}}}));
  ASSERT_TRUE(take_effect(driver, {{0x101, {port_of(1)}}}));
  this->world_.set_manager(false);
  const Partitions later{{0x102, {port_of(1), port_of(2)}}};
  const auto applied = driver.apply(later);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, core::ErrorCode::unavailable);
  this->world_.set_manager(true);
  EXPECT_TRUE(take_effect(driver, later));
}

TYPED_TEST(PartitionDriverContract, ChangesNothingIfAPkeyIsOutOfRange) {
  auto& driver = this->driver_;
  const Partitions partitions{{0x101, {port_of(1)}}};
  ASSERT_TRUE(driver.apply(partitions));
  for (const auto pkey : {0u, 0x7fffu, 0x8101u, 0xffffu})
    EXPECT_FALSE(driver.apply({{pkey, {port_of(1)}}})) << pkey;
  EXPECT_EQ(driver.configured_difference(partitions).value(), "");
  EXPECT_TRUE(take_effect(driver, partitions));
}

TEST(OpenSm, GivesPathRecordsWithinAPartitionOnly) {
  RealFabric world;
  const Partitions partitions{{0x101, {port_of(1), port_of(2)}}, {0x102, {port_of(3), port_of(4)}}};
  ASSERT_TRUE(world.driver().apply(partitions));
  ASSERT_TRUE(take_effect(world.driver(), partitions));
  const auto& fabric = world.fabric();
  EXPECT_NE(fabric.paths(1, 2, 1).find("0x8101"), std::string::npos) << fabric.paths(1, 2, 1);
  EXPECT_NE(fabric.paths(3, 4, 3).find("0x8102"), std::string::npos);
  for (const auto other : {3u, 4u}) {
    EXPECT_EQ(fabric.paths(1, other, 1).find("PathRecord"), std::string::npos);
    EXPECT_EQ(fabric.paths(2, other).find("PathRecord"), std::string::npos);
  }
}

TEST(OpenSm, ReadsAsManyMembersAsAreWritten) {
  RealFabric world;
  Partitions partitions{{0x101, {port_of(1)}}, {0x102, {port_of(2)}}};
  for (std::uint64_t i = 1; i <= 2'000; ++i)
    for (auto& [pkey, members] : partitions) members.insert({0x5000000000000 + pkey * 10'000 + i});
  ASSERT_TRUE(world.driver().apply(partitions));
  EXPECT_TRUE(take_effect(world.driver(), partitions));
  EXPECT_FALSE(world.fabric().says("osm.log", "PARSE ERROR"));
}

TEST(OpenSm, SignalsNoProcessThatIsNotOpenSm) {
  RealFabric world;
  std::ofstream(world.fabric().file("ib0/opensm.pid")) << getpid() << "\n";
  const auto applied = world.driver().apply({});  // SIGHUP would end this program
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, core::ErrorCode::unavailable);
}

}  // namespace
}  // namespace nucleus::tests
