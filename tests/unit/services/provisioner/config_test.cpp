// The provisioner's settings: the driver is chosen by name, and reading them only parses.
#include "services/provisioner/config.hpp"

#include <gtest/gtest.h>

namespace nucleus::provisioner {
namespace {

core::Result<Config> read(std::map<std::string, std::string> values) {
  core::Settings settings(std::move(values));
  return Config::from(settings);
}

TEST(ProvisionerConfig, ChoosesTheDriverByName) {
  const auto real = read({{"provisioner.host_id", "rack1-a"}});
  ASSERT_TRUE(real) << real.error().detail;
  EXPECT_EQ(real->driver.name, "libvirt");
  EXPECT_TRUE(real->driver.has_guests);
  ASSERT_EQ(real->hosts.size(), 1U);
  EXPECT_EQ(real->hosts[0].value, "rack1-a");

  const auto simulated =
      read({{"provisioner.driver", "simulated"}, {"provisioner.simulated_hosts", "3"}});
  ASSERT_TRUE(simulated) << simulated.error().detail;
  EXPECT_EQ(simulated->driver.name, "simulated");
  EXPECT_FALSE(simulated->driver.has_guests);
  ASSERT_EQ(simulated->hosts.size(), 3U);
  EXPECT_EQ(simulated->hosts[2].value, "sim-0003");
  EXPECT_EQ(simulated->cpus, 64U);
}

TEST(ProvisionerConfig, NamesTheAdaptersOfARealHost) {
  const auto real =
      read({{"provisioner.host_id", "a"}, {"provisioner.adapters", "0000:81:00.0=ib0"}});
  ASSERT_TRUE(real) << real.error().detail;
  EXPECT_EQ(real->adapter_functions, (AdapterFunctions{{"0000:81:00.0", "ib0"}}));
  EXPECT_EQ(real->sysfs, "/sys");
  EXPECT_EQ(read({{"provisioner.host_id", "a"}, {"provisioner.adapters", "mlx5_0"}}).error().field,
            "provisioner.adapters");
  EXPECT_EQ(read({{"provisioner.driver", "simulated"},
                  {"provisioner.host_id", "a"},
                  {"provisioner.adapters", "0000:81:00.0=ib0"}})
                .error()
                .field,
            "provisioner.adapters");
}

TEST(ProvisionerConfig, SimulatesTheOneHostThatIsNamed) {
  const auto named = read({{"provisioner.driver", "simulated"}, {"provisioner.host_id", "host-1"}});
  ASSERT_TRUE(named) << named.error().detail;
  EXPECT_EQ(named->driver.name, "simulated");
  EXPECT_EQ(named->hosts, std::vector<msg::HostId>{{"host-1"}});
  EXPECT_EQ(named->memory_mb, 262'144U);
  EXPECT_EQ(
      read({{"provisioner.driver", "simulated"}, {"provisioner.host_id", "../x"}}).error().field,
      "provisioner.host_id");
}

TEST(ProvisionerConfig, ReportsWhereItsMetricsAreReached) {
  const auto reached = [](const char* listen, const char* own_address) {
    std::map<std::string, std::string> values{{"provisioner.host_id", "h"}};
    if (*listen) values["metrics.listen"] = listen;
    auto config = *read(std::move(values));
    config.address = own_address;
    return metrics_address_of(config);
  };
  EXPECT_EQ(reached("", "10.0.0.2"), "");
  EXPECT_EQ(reached("10.1.0.2:9400", "10.0.0.2"), "10.1.0.2:9400");
  EXPECT_EQ(reached("0.0.0.0:9400", "10.0.0.2"), "10.0.0.2:9400");
  EXPECT_EQ(reached("[::]:9400", "fd00::2"), "[fd00::2]:9400");
  EXPECT_EQ(reached("127.0.0.1:9400", "10.0.0.2"), "") << "not from other machines";
  EXPECT_EQ(reached("127.0.0.1:9400", ""), "127.0.0.1:9400") << "the head's machine";
  EXPECT_EQ(reached("0.0.0.0:9400", ""), "127.0.0.1:9400");
}

TEST(ProvisionerConfig, RefusesAnUnknownDriverAndAHostWithoutAName) {
  EXPECT_EQ(read({{"provisioner.driver", "xen"}}).error().field, "provisioner.driver");
  EXPECT_EQ(read({}).error().field, "provisioner.host_id");
}

TEST(ProvisionerConfig, LeavesTheAcceleratorOpenUnlessOneIsSet) {
  const std::pair<std::string, std::string> host{"provisioner.host_id", "h"};
  EXPECT_EQ(read({host})->accelerator, Accel::unknown);
  EXPECT_EQ(read({host, {"provisioner.accelerator", "kvm"}})->accelerator, Accel::kvm);
  EXPECT_EQ(read({host, {"provisioner.accelerator", "tcg"}})->accelerator, Accel::tcg);
  EXPECT_EQ(read({host, {"provisioner.accelerator", "none"}}).error().field,
            "provisioner.accelerator");
}

TEST(ProvisionerConfig, HasTheStandardProfileUnlessAnotherIsSet) {
  const std::pair<std::string, std::string> host{"provisioner.host_id", "h"};
  const std::pair<std::string, std::string> hpc{"provisioner.profile", "hpc"};
  EXPECT_EQ(read({host})->profile.kind, Profile::standard);
  EXPECT_EQ(read({host, hpc})->profile.kind, Profile::hpc);
  EXPECT_EQ(read({host, hpc, {"provisioner.hpc_host_cpus", "0-1,32"}})->profile.host_cpus,
            (CpuSet{0, 1, 32}));
  EXPECT_EQ(read({host, hpc, {"provisioner.hpc_host_cpus", "all"}}).error().field,
            "provisioner.hpc_host_cpus");
  EXPECT_EQ(read({host, {"provisioner.profile", "fast"}}).error().field, "provisioner.profile");
  EXPECT_EQ(read({hpc, {"provisioner.driver", "simulated"}}).error().field, "provisioner.profile");
}

TEST(ProvisionerConfig, KeepsVolumesIfItHasTheImageStoresUrlAndItsCa) {
  const std::pair<std::string, std::string> host{"provisioner.host_id", "h"};
  const std::pair<std::string, std::string> ca{"provisioner.ca_file", "/ca.pem"};
  const auto url = [](const std::string& text) {
    return std::pair<std::string, std::string>{"provisioner.image_store_url", text};
  };
  EXPECT_FALSE(read({host})->keeps_volumes());
  EXPECT_TRUE(read({host, ca, url("https://127.0.0.1:7000")})->keeps_volumes());
  EXPECT_EQ(read({host, url("https://127.0.0.1:7000")}).error().field, "provisioner.ca_file");
  for (const auto* wrong : {"http://127.0.0.1:7000", "127.0.0.1:7000", "https://127.0.0.1:7000/"})
    EXPECT_EQ(read({host, ca, url(wrong)}).error().field, "provisioner.image_store_url") << wrong;
  EXPECT_EQ(
      read({{"provisioner.driver", "simulated"}, ca, url("https://127.0.0.1:7000")}).error().field,
      "provisioner.image_store_url");
}

}  // namespace
}  // namespace nucleus::provisioner
