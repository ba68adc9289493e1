// Which adapters a host may report.
#include "messages/fabrics.hpp"

#include <gtest/gtest.h>

namespace nucleus::msg {
namespace {

Adapter an_adapter() {
  return {.pci_address = "0000:81:00.1",
          .fabric = "ib0",
          .port_guid = "0x0014050000000001",
          .numa_node = 1,
          .is_virtual = true};
}

TEST(Adapters, MayBeReportedWithTheirAddressFabricAndGuid) {
  EXPECT_FALSE(check(std::vector{an_adapter()}));
  EXPECT_FALSE(check(std::vector<Adapter>{}));
  EXPECT_FALSE(check(std::vector<Adapter>(host_adapters_max, an_adapter())));
}

TEST(Adapters, AreRefusedIfAFieldIsNotOfItsForm) {
  const auto with = [](auto change) {
    auto adapter = an_adapter();
    change(adapter);
    return check(std::vector{adapter});
  };
  for (const auto* address :
       {"", "81:00.1", "0000:81:00.8", "0000:8G:00.1", "0000:81:00.1 ", "../..:81:00.1"})
    EXPECT_TRUE(with([&](auto& one) { one.pci_address = address; })) << address;
  for (const auto* guid : {"", "0x1", "0x0000000000000000", "0x00140500000000AB",
                           "0014050000000001", "0x00140500000000011"})
    EXPECT_TRUE(with([&](auto& one) { one.port_guid = guid; })) << guid;
  EXPECT_TRUE(with([](auto& one) { one.fabric = "a b"; }));
  EXPECT_TRUE(with([](auto& one) { one.numa_node = -2; }));
  EXPECT_TRUE(check(std::vector<Adapter>(host_adapters_max + 1, an_adapter())));
}

}  // namespace
}  // namespace nucleus::msg
