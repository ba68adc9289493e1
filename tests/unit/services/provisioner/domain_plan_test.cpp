// From a grant to a domain: names, disks and cards.
#include "services/provisioner/domain_plan.hpp"

#include <gtest/gtest.h>

#include "services/provisioner/driver/domain_xml.hpp"
#include "services/provisioner/driver/seed_drive.hpp"
#include "services/provisioner/volume_plan.hpp"

namespace nucleus::provisioner {
namespace {

msg::Grant a_grant() {
  return {
      .node_id = {"n-0123456789abcdef"},
      .cluster_id = {"demo"},
      .project_id = {"p"},
      .node_name = "vm-demo-00",
      .epoch = 3,
      .is_on = true,
      .cpus = 2,
      .memory_mb = 1024,
      .ports = {{.mac = "52:54:00:0a:0b:0c", .ip = "10.0.0.2", .prefix_length = 24, .vlan = 101}},
      .peers = {{"demo", "10.0.0.1"}, {"vm-demo-00", "10.0.0.2"}},
      .volume = {.path = "/volumes/n.qcow2", .format = "qcow2"}};
}

Config a_config() {
  Config config;
  config.hosts = {{"rack1-a"}};
  config.state_directory = "/state";
  config.bridge = "nucleus0";
  return config;
}

StoredGrant stored(const msg::Grant& grant, const Config& config) {
  return {.host_id = config.hosts.front(),
          .grant = grant,
          .domain_name = domain_name(config.hosts.front(), grant, config),
          .domain_uuid = uuid_of_domain(config.hosts.front(), grant.node_id, config)};
}

TEST(DomainPlan, NamesADomainByItsNodeIdWhateverClusterAndNodeAreCalled) {
  const auto config = a_config();
  auto frontend = a_grant();
  frontend.cluster_id = {"lab.one"};
  frontend.node_name = "lab.one";
  auto compute = a_grant();
  compute.node_id = {"n-fedcba9876543210"};
  compute.cluster_id = {"lab.one.lab"};
  compute.node_name = "one";
  EXPECT_EQ(domain_name({"rack1-a"}, frontend, config), "n-0123456789abcdef");
  EXPECT_EQ(domain_name({"rack1-a"}, compute, config), "n-fedcba9876543210");
}

TEST(DomainPlan, NamesADomainOnASimulatedHostByHostAndNode) {
  auto config = a_config();
  config.driver = simulated_driver;
  EXPECT_EQ(domain_name({"sim-0001"}, a_grant(), config), "sim-0001.n-0123456789abcdef");
}

TEST(DomainPlan, PassesTheAdaptersOfTheGrantUnlessTheHostIsSimulated) {
  auto config = a_config();
  auto grant = a_grant();
  grant.adapters = {{.adapter = {.pci_address = "0000:81:00.1",
                                 .fabric = "ib0",
                                 .port_guid = "0x0014050000000001",
                                 .numa_node = 1,
                                 .is_virtual = true},
                     .pkey = 0x0101}};
  EXPECT_EQ(plan_domain(stored(grant, config), config, Accel::kvm).adapters, grant.adapters);
  config.driver = simulated_driver;
  EXPECT_TRUE(plan_domain(stored(grant, config), config, Accel::none).adapters.empty());
}

TEST(DomainPlan, KnowsTheDomainsOfEachSimulatedHost) {
  auto config = a_config();
  EXPECT_TRUE(is_domain_of({"rack1-a"}, "n-1", config));
  config.driver = simulated_driver;
  EXPECT_TRUE(is_domain_of({"sim-0001"}, "sim-0001.n-1", config));
  EXPECT_FALSE(is_domain_of({"sim-000"}, "sim-0001.n-1", config));
  EXPECT_FALSE(is_domain_of({"sim-0002"}, "sim-0001.n-1", config));
}

TEST(DomainPlan, PlansVolumeSeedDriveAndIsoWithTheirFormats) {
  auto grant = a_grant();
  grant.volume.iso_path = "/images/x.iso";
  const auto config = a_config();
  const auto spec = plan_domain(stored(grant, config), config, Accel::tcg);
  ASSERT_EQ(spec.disks.size(), 3U);
  EXPECT_EQ(spec.disks[0].path, "/volumes/n.qcow2");
  EXPECT_EQ(spec.disks[0].format, "qcow2");
  EXPECT_FALSE(spec.disks[0].is_read_only);
  EXPECT_EQ(spec.disks[1].path, "/state/seeds/n-0123456789abcdef.img");
  EXPECT_EQ(spec.disks[1].format, "raw");
  EXPECT_TRUE(spec.disks[1].is_read_only);
  EXPECT_EQ(spec.disks[2].path, "/images/x.iso");
  EXPECT_TRUE(spec.disks[2].is_cdrom);
  EXPECT_TRUE(spec.disks[2].is_read_only);
}

TEST(DomainPlan, BootsFromTheNetworkFirstIfTheGrantSaysSo) {
  auto grant = a_grant();
  const auto config = a_config();
  EXPECT_FALSE(plan_domain(stored(grant, config), config, Accel::tcg).boots_from_network);
  grant.boots_from_network = true;
  EXPECT_TRUE(plan_domain(stored(grant, config), config, Accel::tcg).boots_from_network);
}

TEST(DomainPlan, PlansOnlyTheSeedDriveForAnImageThatIsAKernel) {
  auto grant = a_grant();
  grant.volume = {.kernel = "/k", .initramfs = "/i", .cmdline = "quiet"};
  const auto config = a_config();
  const auto spec = plan_domain(stored(grant, config), config, Accel::tcg);
  ASSERT_EQ(spec.disks.size(), 1U);
  EXPECT_EQ(spec.kernel, "/k");
  EXPECT_EQ(spec.initramfs, "/i");
  EXPECT_EQ(spec.cmdline, "quiet");
}

TEST(DomainPlan, KeepsTheVariablesOfUefiFirmwareBesideTheDisk) {
  auto config = a_config();
  config.uefi_code = "/code";
  config.uefi_variables = "/initial";
  auto grant = a_grant();
  const auto plan = [&] { return plan_domain(stored(grant, config), config, Accel::tcg).firmware; };
  EXPECT_EQ(plan().code, "") << "BIOS";
  grant.volume.firmware = msg::Firmware::uefi;
  EXPECT_EQ(plan().code, "/code");
  EXPECT_EQ(plan().variables, "/volumes/n.qcow2.uefi");
  EXPECT_EQ(plan().initial, "/initial");
  grant.volume.kernel = "/kernel";
  EXPECT_EQ(plan().code, "") << "the kernel is booted directly";
}

TEST(DomainPlan, PutsEachPortOnTheBridgeInItsVlanWithItsOwnTap) {
  const auto config = a_config();
  const auto spec = plan_domain(stored(a_grant(), config), config, Accel::tcg);
  ASSERT_EQ(spec.ports.size(), 1U);
  EXPECT_EQ(spec.ports[0].mac, "52:54:00:0a:0b:0c");
  EXPECT_EQ(spec.ports[0].bridge, "nucleus0");
  EXPECT_EQ(spec.ports[0].vlan, 101);
  EXPECT_EQ(spec.ports[0].device, "nuc-0a0b0c");
}

TEST(DomainPlan, PlansASpecThatTheDriverAccepts) {
  const auto config = a_config();
  const auto broken = check_spec(plan_domain(stored(a_grant(), config), config, Accel::tcg));
  EXPECT_FALSE(broken) << broken->detail;
}

TEST(DomainPlan, GuardsPublicPortsAlone) {
  auto grant = a_grant();
  grant.ports.insert(grant.ports.begin(), {.mac = "52:54:00:01:02:03",
                                           .ip = "172.30.0.2",
                                           .prefix_length = 20,
                                           .vlan = 4000,
                                           .is_public = true});
  const auto config = a_config();
  const auto spec = plan_domain(stored(grant, config), config, Accel::tcg);
  EXPECT_EQ(spec.ports.at(0).guarded_ip, "172.30.0.2");
  EXPECT_EQ(spec.ports.at(1).guarded_ip, "");
}

TEST(DomainPlan, NamesTheNameServerOfAPrivatePort) {
  auto grant = a_grant();
  const auto config = a_config();
  EXPECT_EQ(plan_domain(stored(grant, config), config, Accel::tcg).ports.at(0).name_server, "");
  grant.ports[0].name_server = "10.0.0.254";
  EXPECT_EQ(plan_domain(stored(grant, config), config, Accel::tcg).ports.at(0).name_server,
            "10.0.0.254");
}

TEST(DomainPlan, PutsPublicPortsAloneInTheHostsOwnPublicVlan) {
  auto grant = a_grant();
  grant.ports.insert(grant.ports.begin(),
                     {.mac = "52:54:00:01:02:03", .vlan = 4000, .is_public = true});
  auto config = a_config();
  EXPECT_EQ(plan_domain(stored(grant, config), config, Accel::tcg).ports.at(0).vlan, 4000);
  config.public_vlan = 1;
  const auto spec = plan_domain(stored(grant, config), config, Accel::tcg);
  EXPECT_EQ(spec.ports.at(0).vlan, 1);
  EXPECT_EQ(spec.ports.at(1).vlan, 101);
}

TEST(DomainPlan, GivesNodesOfTheSameNameDifferentNamesAndUuids) {
  const auto config = a_config();
  auto other = a_grant();
  other.node_id = {"n-other"};
  EXPECT_NE(stored(a_grant(), config).domain_name, stored(other, config).domain_name);
  EXPECT_NE(stored(a_grant(), config).domain_uuid, stored(other, config).domain_uuid);
}

TEST(DomainPlan, KeepsANodesUuidThroughEpochsAndNames) {
  const auto config = a_config();
  auto grant = a_grant();
  const auto first = plan_domain(stored(grant, config), config, Accel::tcg).uuid;
  grant.epoch = 9;
  grant.node_name = "renamed";
  EXPECT_EQ(plan_domain(stored(grant, config), config, Accel::tcg).uuid, first);
  grant.node_id = {"n-other"};
  EXPECT_NE(plan_domain(stored(grant, config), config, Accel::tcg).uuid, first);
}

TEST(SeedDrive, ContainsTheGuestsNamePortsAndPeers) {
  auto grant = a_grant();
  grant.epoch = 7;
  grant.ports.push_back({.mac = "52:54:00:00:00:01",
                         .ip = "172.30.0.2",
                         .prefix_length = 20,
                         .gateway = "172.30.0.1",
                         .vlan = 4000,
                         .is_public = true});
  const auto planned = plan_seed(grant);
  ASSERT_TRUE(planned.has_value()) << planned.error().detail;
  const auto& files = *planned;
  EXPECT_EQ(files.meta_data,
            "instance-id: n-0123456789abcdef\nlocal-hostname: vm-demo-00\nnucleus-epoch: 7\n");
  EXPECT_EQ(files.ports,
            "52:54:00:0a:0b:0c 10.0.0.2/24 -\n52:54:00:00:00:01 172.30.0.2/20 172.30.0.1\n");
  EXPECT_EQ(files.hosts, "127.0.0.1 localhost\n10.0.0.1 demo\n10.0.0.2 vm-demo-00\n");
  EXPECT_NE(files.network_config.find("macaddress: \"52:54:00:00:00:01\""), std::string::npos);
  EXPECT_NE(files.network_config.find("via: 172.30.0.1"), std::string::npos);
}

TEST(SeedDrive, LetsACardThatNucleusServesUseDhcpAndKeepsItsAddressForOthers) {
  auto grant = a_grant();
  grant.ports[0].name_server = "10.0.0.254";
  const auto planned = plan_seed(grant);
  ASSERT_TRUE(planned.has_value()) << planned.error().detail;
  EXPECT_EQ(planned->network_config,
            "version: 2\nethernets:\n  port0:\n    match:\n      macaddress: "
            "\"52:54:00:0a:0b:0c\"\n    dhcp4: true\n    nameservers: {addresses: "
            "[10.0.0.254]}\n");
  EXPECT_EQ(planned->ports, "52:54:00:0a:0b:0c 10.0.0.2/24 -\n");
  EXPECT_EQ(planned->meta_data, plan_seed(a_grant())->meta_data) << "it is the same instance";
}

TEST(DomainPlan, OfAHostWithVolumesOfItsOwnNamesItsOwnFilesAndTheServerOfTheBase) {
  auto config = a_config();
  config.image_store_url = "https://100.64.0.1:7000";
  config.ca_file = "/ca.pem";
  auto grant = a_grant();
  grant.is_disk_on_host = true;
  grant.volume = {.node_id = grant.node_id,
                  .path = "/store/n.qcow2",
                  .format = "qcow2",
                  .kernel = "/store/kernel",
                  .initramfs = "/store/initramfs",
                  .iso_path = "/store/iso",
                  .ticket = "t",
                  .disk_bytes = 1 << 30,
                  .base = {{.kind = msg::BaseFileKind::disk, .content_id = "a", .format = "raw"},
                           {.kind = msg::BaseFileKind::kernel, .content_id = "a"},
                           {.kind = msg::BaseFileKind::initramfs, .content_id = "a"},
                           {.kind = msg::BaseFileKind::iso, .content_id = "b"}}};
  const auto spec = plan_domain(stored(grant, config), config, Accel::tcg);
  EXPECT_EQ(spec.kernel, "/state/images/a.kernel");
  EXPECT_EQ(spec.initramfs, "/state/images/a.initramfs");
  ASSERT_EQ(spec.disks.size(), 3U);
  EXPECT_EQ(spec.disks[0].path, "/state/volumes/n-0123456789abcdef/disk.qcow2");
  EXPECT_EQ(spec.disks[0].format, "qcow2");
  EXPECT_EQ(spec.disks[0].base.socket, "/state/volumes/n-0123456789abcdef/base");
  EXPECT_EQ(spec.disks[0].base.format, "raw");
  EXPECT_EQ(spec.disks[2].path, "/state/images/b.iso");
  EXPECT_FALSE(check_spec(spec)) << check_spec(spec)->detail;

  const auto planned = plan_host_volume(grant.volume, config);
  EXPECT_EQ(planned.disk->base_url, "https://100.64.0.1:7000/base/a/disk");
  ASSERT_EQ(planned.copies.size(), 3U);
  EXPECT_EQ(planned.copies[2].url, "https://100.64.0.1:7000/base/b/iso");

  grant.volume.base.erase(grant.volume.base.begin());
  const auto empty = plan_domain(stored(grant, config), config, Accel::tcg);
  EXPECT_EQ(empty.disks[0].path, spec.disks[0].path);
  EXPECT_EQ(empty.disks[0].base.socket, "") << "a disk without an image has no base";
}

TEST(DomainPlan, OfADiskWithLayersNamesThemInTheNodesOwnDirectory) {
  auto config = a_config();
  config.image_store_url = "https://100.64.0.1:7000";
  auto grant = a_grant();
  grant.is_disk_on_host = true;
  using enum msg::BaseFileKind;
  grant.volume = {.node_id = {"n"},
                  .path = "/store/n.qcow2",
                  .disk_bytes = 1 << 30,
                  .base = {{.kind = disk, .content_id = "x", .format = "raw"}},
                  .layers = {{.kind = layer, .content_id = "a", .size_bytes = 7, .sha256 = "5a"},
                             {.kind = layer, .content_id = "b"}}};
  const auto planned = plan_host_volume(grant.volume, config);
  EXPECT_TRUE(planned.copies.empty()) << "other nodes have no use for them";
  ASSERT_EQ(planned.disk->layers.size(), 2U);
  const auto& oldest = planned.disk->layers[0];
  EXPECT_EQ(oldest.content_id, "a");
  EXPECT_EQ(oldest.file.url, "https://100.64.0.1:7000/base/a/layer");
  EXPECT_EQ(oldest.file.path, "/state/volumes/n/layers/a.qcow2");
  EXPECT_EQ(oldest.file.size_bytes, 7U);
  EXPECT_EQ(oldest.file.sha256, "5a");
  const auto spec = plan_domain(stored(grant, config), config, Accel::tcg);
  EXPECT_EQ(spec.disks[0].layers, (std::vector<std::string>{"/state/volumes/n/layers/a.qcow2",
                                                            "/state/volumes/n/layers/b.qcow2"}));
  EXPECT_FALSE(check_spec(spec)) << check_spec(spec)->detail;
}

TEST(DomainPlan, StartsNoNodeWithAnotherDiskThanTheOneItHas) {
  const auto shares = a_config();
  auto keeps = a_config();
  keeps.image_store_url = "https://100.64.0.1:7000";
  auto grant = a_grant();
  EXPECT_TRUE(check_disk_place(grant, shares));
  EXPECT_FALSE(check_disk_place(grant, keeps)) << "its disk is in the store";
  grant.is_disk_on_host = true;
  EXPECT_TRUE(check_disk_place(grant, keeps));
  EXPECT_FALSE(check_disk_place(grant, shares)) << "its disk is this host's own";
  grant.volume = {.kernel = "/k"};
  grant.is_disk_on_host = false;
  EXPECT_TRUE(check_disk_place(grant, keeps)) << "it has no disk";
}

}  // namespace
}  // namespace nucleus::provisioner
