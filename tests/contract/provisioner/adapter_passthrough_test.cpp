// Adapters with the real libvirt, on a machine without InfiniBand: libvirt keeps the elements as
// they were built, and says why a function that is not there cannot be passed; what sysfs has is a
// generated tree.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libvirt/libvirt.h>
#include <unistd.h>

#include "services/provisioner/driver/domain_xml.hpp"
#include "services/provisioner/driver/given_adapters.hpp"
#include "services/provisioner/driver/guest_files.hpp"
#include "services/provisioner/driver/libvirt_domains.hpp"
#include "services/provisioner/driver/libvirt_hypervisor.hpp"
#include "tests/contract/provisioner/hypervisor_world.hpp"
#include "tests/contract/provisioner/private_libvirtd.hpp"
#include "tests/support/sysfs_tree.hpp"

namespace nucleus::provisioner {
namespace {

using core::ErrorCode;
using test::PrivateLibvirtd;
using ::testing::HasSubstr;

// No machine has this PCI domain.
constexpr const char* card = "fff0:81:00.0";
constexpr const char* vf = "fff0:81:00.1";

struct CloseAdapterConnection {
  void operator()(virConnect* connection) const { virConnectClose(connection); }
};
using Connection = std::unique_ptr<virConnect, CloseAdapterConnection>;

class AdapterPassthrough : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "libvirtd needs root";
    tree.add_card(card, "mlx4_core", "mlx4_0", "fe80:0000:0000:0000:0002:c903:00a1:b2c3");
    tree.add_virtual_function(card, 0, vf);
    tree.add_alias(card, vf, 1, "14050000000001");
    tree.set_port_pkeys(card, {"0x7fff", "0x0000", "0x8101", "0x0000"});
    tree.set_guest_pkeys(card, vf, {"0", "none", "none"});
    libvirtd.emplace(directory.path());
    hypervisor.emplace(libvirtd->uri(), HostProfile{}, host());
    LinkRecord{*hypervisor}.await(true);
    connection.reset(virConnectOpen(libvirtd->uri().c_str()));
    ASSERT_TRUE(connection);
  }

  HostAdapters host() const { return {.sysfs = tree.root(), .functions = {{card, "ib0"}}}; }
  DomainSpec a_spec(const std::string& name) const {
    return {.name = name,
            .uuid = domain_uuid(name),
            .epoch = 7,
            .cpus = 1,
            .memory_mb = 64,
            .adapters = {{.adapter = {.pci_address = vf,
                                      .fabric = "ib0",
                                      .port_guid = "0x0014050000000001",
                                      .numa_node = 1,
                                      .is_virtual = true},
                          .pkey = 0x0101}},
            .runtime_dir = directory.path(),
            .user = find_qemu_user("libvirt-qemu").value()};
  }
  /// The guest's table, with spaces between its entries.
  std::string guest_pkeys() const {
    std::string all;
    const auto content = tree.content();
    for (std::size_t i = 0; content.contains(SysfsTree::guest_pkey(card, vf, i)); ++i)
      all += content.at(SysfsTree::guest_pkey(card, vf, i));
    std::ranges::replace(all, '\n', ' ');
    return all;
  }

  tests::TemporaryFolder directory;
  SysfsTree tree;
  std::optional<PrivateLibvirtd> libvirtd;
  std::optional<LibvirtHypervisor> hypervisor;
  Connection connection;
};

TEST_F(AdapterPassthrough, IsKeptByLibvirtAsItWasBuilt) {
  auto spec = a_spec("n1");
  std::vector<std::string> addresses{vf};
  while (spec.adapters.size() < msg::host_adapters_max) {
    addresses.push_back(
        fmt::format("fff0:c1:{:02x}.{}", addresses.size() / 8, addresses.size() % 8));
    spec.adapters.push_back(spec.adapters.front());
    spec.adapters.back().adapter.pci_address = addresses.back();
  }
  const auto xml = build_domain_xml(spec, XmlDialect::qemu);
  ASSERT_TRUE(xml) << xml.error().detail;
  const LibvirtDomain domain{virDomainDefineXML(connection.get(), xml->c_str())};
  ASSERT_TRUE(domain) << libvirt_error().detail << *xml;
  const auto seen = take_libvirt_text(virDomainGetXMLDesc(domain.get(), 0));
  EXPECT_EQ(virDomainUndefine(domain.get()), 0);
  const auto same = verify_domain_xml(seen, spec, XmlDialect::qemu);
  EXPECT_TRUE(same) << same.error().detail << seen;
  EXPECT_THAT(functions_in_xml(seen), ::testing::ElementsAreArray(addresses));
  spec.adapters.pop_back();
  EXPECT_FALSE(verify_domain_xml(seen, spec, XmlDialect::qemu)) << "one too many";
}

TEST_F(AdapterPassthrough, FailsWithAReasonIfLibvirtCannotPassTheFunction) {
  const auto created = hypervisor->create(a_spec("n1"));
  ASSERT_FALSE(created);
  RecordProperty("reason", created.error().detail);
  EXPECT_EQ(created.error().code, ErrorCode::internal) << created.error().detail;
  EXPECT_THAT(created.error().detail,
              ::testing::AnyOf(HasSubstr(vf), HasSubstr("PCI"), HasSubstr("passthrough")));
  EXPECT_TRUE(hypervisor->list()->empty());
  EXPECT_EQ(guest_pkeys(), "2 0 none ") << "the partition was set before the start";
  EXPECT_TRUE(hypervisor->release(a_spec("n1").adapters));
  EXPECT_EQ(guest_pkeys(), "none none none ");
}

TEST_F(AdapterPassthrough, IsNotAskedOfLibvirtBeforeTheHostHasTheAdapterInItsPartition) {
  auto spec = a_spec("n1");
  spec.adapters[0].pkey = 0x0102;
  const auto waits = hypervisor->create(spec);
  ASSERT_FALSE(waits);
  EXPECT_EQ(waits.error().code, ErrorCode::unavailable);
  EXPECT_EQ(waits.error().detail, "its adapter fff0:81:00.1 has no entry for partition 0x0102 yet");
  spec = a_spec("n1");
  spec.adapters[0].adapter.port_guid = "0x0014050000000002";
  const auto other = hypervisor->create(spec);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::wrong_state);
  EXPECT_EQ(other.error().detail,
            "its adapter fff0:81:00.1 has port GUID 0x0014050000000001, not 0x0014050000000002");
  EXPECT_EQ(guest_pkeys(), "0 none none ");
}

TEST_F(AdapterPassthrough, GivesAnAdapterToOneStartAtATime) {
  GivenAdapters given{host()};
  const auto first = a_spec("n1");
  ASSERT_TRUE(given.begin_start(connection.get(), first));
  ASSERT_TRUE(given.begin_start(connection.get(), first)) << "the same domain";
  auto second = a_spec("n2");
  second.adapters[0].pkey = 0x0102;
  const auto refused = given.begin_start(connection.get(), second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_EQ(refused.error().detail, "its adapter fff0:81:00.1 is still in use by another domain");
  given.end_start(first);
  ASSERT_TRUE(given.clear(connection.get(), first.adapters));
  EXPECT_EQ(guest_pkeys(), "2 0 none ") << "its start is under way";
  given.end_start(first);
  ASSERT_TRUE(given.clear(connection.get(), first.adapters));
  EXPECT_EQ(guest_pkeys(), "none none none ");
}

/// libvirt's mock driver runs a domain with a function that is not there.
TEST_F(AdapterPassthrough, NeverChangesThePartitionsOfADomainThatRuns) {
  const Connection mock{virConnectOpen("test:///default")};
  ASSERT_TRUE(mock);
  const auto spec = a_spec("n1");
  GivenAdapters given{host()};
  ASSERT_TRUE(given.begin_start(mock.get(), spec));
  const std::string xml = "<domain type='test'><name>n1</name><uuid>" + spec.uuid +
                          "</uuid><memory unit='MiB'>64</memory><os><type>hvm</type></os><devices>"
                          "<hostdev mode='subsystem' type='pci' managed='yes'><source><address "
                          "domain='0xfff0' bus='0x81' slot='0x00' function='0x1'/></source>"
                          "</hostdev></devices></domain>";
  const LibvirtDomain domain{virDomainCreateXML(mock.get(), xml.c_str(), 0)};
  ASSERT_TRUE(domain) << libvirt_error().detail;
  given.end_start(spec);

  ASSERT_TRUE(given.clear(mock.get(), spec.adapters));
  EXPECT_EQ(guest_pkeys(), "2 0 none ");
  auto other = a_spec("n2");
  other.adapters[0].pkey = 0x0102;
  EXPECT_FALSE(given.begin_start(mock.get(), other));
  EXPECT_EQ(guest_pkeys(), "2 0 none ");
  ASSERT_EQ(virDomainDestroy(domain.get()), 0);
  ASSERT_TRUE(given.clear(mock.get(), spec.adapters));
  EXPECT_EQ(guest_pkeys(), "none none none ");
}

}  // namespace
}  // namespace nucleus::provisioner
