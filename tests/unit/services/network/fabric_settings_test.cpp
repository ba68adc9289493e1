// The fabrics in the network service's settings.
#include <gtest/gtest.h>

#include "services/network/config.hpp"

namespace nucleus::network {
namespace {

core::Result<Config> config_with(const std::string& fabrics) {
  core::Settings settings({{"network.fabrics", fabrics}});
  return Config::from(settings);
}

TEST(FabricSettings, NameFabricsWithTheirPkeysAndCards) {
  const auto config = config_with("ib0:0x0100-0x01ff ib1@mlx5_2/1:0x0001-0x7ffe");
  ASSERT_TRUE(config) << config.error().detail;
  ASSERT_EQ(config->fabrics.size(), 2u);
  const auto& first = config->fabrics.at("ib0");
  EXPECT_EQ(first.pkeys, (NumberRange{.first = 0x100, .last = 0x1ff}));
  EXPECT_EQ(first.card, "");
  const auto& second = config->fabrics.at("ib1");
  EXPECT_EQ(second.pkeys, (NumberRange{.first = 1, .last = 0x7ffe}));
  EXPECT_EQ(second.card, "mlx5_2");
  EXPECT_EQ(second.port, 1u);
  EXPECT_TRUE(config_with("")->fabrics.empty());
}

TEST(FabricSettings, AreRefusedIfTheyDoNotNameARangeOfPkeys) {
  for (const auto* fabrics :
       {"ib0", "ib0:", "ib0:0x0100", "ib0:0x0100-", "ib0:0x0000-0x00ff", "ib0:0x0100-0x7fff",
        "ib0:0x8001-0x8002", "ib0:0x0200-0x0100", "ib0:256-511", ":0x0100-0x01ff",
        "../ib0:0x0100-0x01ff", "ib0@:0x0100-0x01ff", "ib0@mlx5_0:0x0100-0x01ff",
        "ib0@mlx5_0/0:0x0100-0x01ff", "ib0@mlx5_0/x:0x0100-0x01ff",
        "ib0:0x0100-0x01ff ib0:0x0200-0x02ff"}) {
    const auto config = config_with(fabrics);
    ASSERT_FALSE(config) << fabrics;
    EXPECT_EQ(config.error().field, "network.fabrics");
  }
}

}  // namespace
}  // namespace nucleus::network
