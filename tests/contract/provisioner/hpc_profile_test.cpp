// The profile hpc with the real libvirt: what it says of this machine is understood, a domain with
// a plan starts with its pins, its NUMA cell and its hugepages, and a later process learns from
// libvirt alone what is taken. Where the machine lacks something, the reason names it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libvirt/libvirt.h>
#include <unistd.h>

#include <fstream>

#include "services/provisioner/driver/cpu_plans.hpp"
#include "services/provisioner/driver/domain_use.hpp"
#include "services/provisioner/driver/domain_xml.hpp"
#include "services/provisioner/driver/guest_files.hpp"
#include "services/provisioner/driver/host_setup.hpp"
#include "services/provisioner/driver/libvirt_domains.hpp"
#include "services/provisioner/driver/libvirt_hypervisor.hpp"
#include "tests/contract/provisioner/hypervisor_world.hpp"
#include "tests/contract/provisioner/private_libvirtd.hpp"
#include "tests/unit/services/provisioner/hpc/generated_host.hpp"

namespace nucleus::provisioner {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t guest_memory_mb = 64;
constexpr std::uint64_t guest_pages = guest_memory_mb / 2;

/// So many hugepages of 2 MiB more, as far as the machine allows, for as long as this lives.
class MoreHugepages {
 public:
  explicit MoreHugepages(std::uint64_t count) : before_{read("nr_hugepages")} {
    write(before_ + count);
  }
  ~MoreHugepages() { write(before_); }
  MoreHugepages(const MoreHugepages&) = delete;
  MoreHugepages& operator=(const MoreHugepages&) = delete;

  static std::uint64_t free() { return read("free_hugepages"); }

 private:
  static constexpr const char* directory = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
  static std::uint64_t read(const std::string& name) {
    std::uint64_t value = 0;
    std::ifstream(directory + name) >> value;
    return value;
  }
  static void write(std::uint64_t count) {
    std::ofstream(std::string(directory) + "nr_hugepages") << count;
  }
  const std::uint64_t before_;
};

struct CloseConnection {
  void operator()(virConnect* connection) const { virConnectClose(connection); }
};

class HpcProfile : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(geteuid(), 0U) << "libvirtd and hugepages need root";
    LinkRecord{hypervisor}.await(true);
    connection.reset(virConnectOpen(libvirtd.uri().c_str()));
    ASSERT_TRUE(connection);
  }

  DomainSpec a_spec(const std::string& name) const {
    return {.name = name,
            .uuid = domain_uuid(name),
            .epoch = 7,
            .cpus = 1,
            .memory_mb = guest_memory_mb,
            .runtime_dir = directory.path(),
            .user = find_qemu_user("libvirt-qemu").value()};
  }

  std::string xml_of(const std::string& name) const {
    const auto domain = find_domain(connection.get(), name);
    EXPECT_TRUE(domain);
    return domain ? take_libvirt_text(virDomainGetXMLDesc(domain->get(), 0)) : "";
  }

  tests::TemporaryFolder directory;
  test::PrivateLibvirtd libvirtd{directory.path()};
  LibvirtHypervisor hypervisor{libvirtd.uri(), {.kind = Profile::hpc}};
  std::unique_ptr<virConnect, CloseConnection> connection;
};

TEST_F(HpcProfile, UnderstandsTheTopologyOfThisMachine) {
  const auto topology = read_topology(connection.get());
  ASSERT_TRUE(topology) << topology.error().detail;
  std::size_t cpus = 0;
  for (const auto& cell : topology->cells)
    for (const auto& core : cell.cores) cpus += core.cpus.size();
  EXPECT_EQ(cpus, static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN)));
}

TEST_F(HpcProfile, ReportsWhatItCanGive) {
  const MoreHugepages more{guest_pages};
  const auto topology = read_topology(connection.get());
  ASSERT_TRUE(topology);
  const auto expected = hpc_capacity(*topology, {});
  const auto capacity = hypervisor.capacity();
  ASSERT_TRUE(capacity) << capacity.error().detail;
  EXPECT_EQ(capacity->cpus, expected.cpus);
  EXPECT_LT(capacity->cpus, static_cast<std::uint32_t>(sysconf(_SC_NPROCESSORS_ONLN)));
  EXPECT_EQ(capacity->memory_mb, expected.memory_mb);
  EXPECT_EQ(capacity->profile_fault, expected.reason);
}

TEST_F(HpcProfile, StartsADomainOrSaysWhyNot) {
  const MoreHugepages more{guest_pages};
  auto spec = a_spec("n1");
  spec.accel = find_accelerator("/boot/vmlinuz", spec.user).accelerator;
  const auto created = hypervisor.create(spec);
  if (spec.accel == Accel::kvm && created) {
    HostUse use;
    add_domain_use(use, xml_of("n1"));
    EXPECT_EQ(use.cpus.size(), 1U);
    EXPECT_TRUE(hypervisor.destroy("n1"));
    return;
  }
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, core::ErrorCode::no_capacity);
  EXPECT_THAT(created.error().detail, HasSubstr("profile hpc: "));
  if (spec.accel == Accel::tcg) {
    EXPECT_THAT(created.error().detail, HasSubstr("needs KVM"));
  }
}

/// All of the profile but the CPU's model, which needs KVM: an emulated guest with a plan.
TEST_F(HpcProfile, StartsADomainWithItsPinsAndHugepagesAndReadsThemBack) {
  const MoreHugepages more{guest_pages};
  auto spec = a_spec("n1");
  auto plan = CpuPlans{{}}.begin_start(connection.get(), spec);
  if (!plan) {
    // One core, or no hugepages: the machine cannot give it, and says what lacks.
    EXPECT_EQ(plan.error().code, core::ErrorCode::no_capacity);
    EXPECT_THAT(plan.error().detail,
                ::testing::AnyOf(HasSubstr("cores"), HasSubstr("hugepages"), HasSubstr("no core")));
    return;
  }
  spec.cpu_plan = *plan;
  const auto free_before = MoreHugepages::free();
  const auto created = hypervisor.create(spec);
  ASSERT_TRUE(created) << created.error().detail;
  EXPECT_EQ(free_before - MoreHugepages::free(), guest_pages) << "its memory is hugepages";

  HostUse use;
  add_domain_use(use, xml_of("n1"));
  EXPECT_EQ(use.cpus, CpuSet(plan->pins.begin(), plan->pins.end()));
  ASSERT_EQ(use.pages.size(), 1U);
  EXPECT_EQ(use.pages[0].count, guest_pages);
  cpu_set_t affinity;
  CPU_ZERO(&affinity);
  ASSERT_EQ(sched_getaffinity(libvirtd.qemu_pid("n1"), sizeof affinity, &affinity), 0);
  EXPECT_EQ(static_cast<std::size_t>(CPU_COUNT(&affinity)), plan->emulator.size());
  EXPECT_TRUE(CPU_ISSET(*plan->emulator.begin(), &affinity)) << "the emulator is off its cores";

  // As after a restart of the provisioner: nothing is known but what libvirt has.
  auto other = a_spec("n2");
  const auto second = CpuPlans{{}}.begin_start(connection.get(), other);
  if (second) {
    for (const auto cpu : second->pins) EXPECT_FALSE(use.cpus.contains(cpu));
  } else {
    EXPECT_THAT(second.error().detail, HasSubstr("free"));
  }
  EXPECT_TRUE(hypervisor.create(spec)) << "it runs already";
  EXPECT_TRUE(hypervisor.destroy("n1"));
  EXPECT_EQ(MoreHugepages::free(), free_before);
}

TEST_F(HpcProfile, GivesNothingToTwoStartsAtOnce) {
  const MoreHugepages more{2 * guest_pages};
  CpuPlans plans{{}};
  const auto first = plans.begin_start(connection.get(), a_spec("n1"));
  if (!first) {
    EXPECT_EQ(first.error().code, core::ErrorCode::no_capacity);
    return;
  }
  EXPECT_EQ(plans.begin_start(connection.get(), a_spec("n1")).value(), *first) << "the same domain";
  if (const auto second = plans.begin_start(connection.get(), a_spec("n2"))) {
    for (const auto cpu : second->pins)
      EXPECT_THAT(first->pins, ::testing::Not(::testing::Contains(cpu)));
  }
  plans.end_start(a_spec("n1").uuid);
  plans.end_start(a_spec("n1").uuid);
  EXPECT_TRUE(plans.begin_start(connection.get(), a_spec("n3"))) << "it is free again";
}

void replace_in(std::string& text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
}

/// libvirt's own parser and formatter, by its mock driver: it has no KVM either, so the domain's
/// type is another one there, and nothing else.
TEST(HpcXml, IsKeptByLibvirtAsItWasBuilt) {
  constexpr std::uint64_t hosts = 200;
  const std::unique_ptr<virConnect, CloseConnection> mock{virConnectOpen("test:///default")};
  ASSERT_TRUE(mock);
  int kept = 0;
  for (std::uint64_t seed = 1; seed <= hosts; ++seed) {
    HostGenerator generator{seed};
    const auto topology = parse_topology(generator.host().capabilities());
    ASSERT_TRUE(topology);
    const auto request = generator.request();
    const auto plan = plan_cpus(*topology, {}, request);
    if (!plan) continue;
    DomainSpec spec{.name = "n1",
                    .uuid = domain_uuid("n1"),
                    .epoch = 7,
                    .cpus = request.cpus,
                    .memory_mb = request.memory_mb,
                    .accel = Accel::kvm,
                    .disks = {{.path = "/volumes/n1.qcow2", .format = "qcow2"}},
                    .runtime_dir = "/state/domains",
                    .cpu_plan = *plan};
    auto xml = build_domain_xml(spec, XmlDialect::qemu).value();
    replace_in(xml, "<domain type=\"kvm\">", "<domain type=\"test\">");
    replace_in(xml, " arch=\"x86_64\" machine=\"q35\"", "");
    const LibvirtDomain domain{virDomainDefineXML(mock.get(), xml.c_str())};
    ASSERT_TRUE(domain) << libvirt_error().detail << xml;
    auto seen = take_libvirt_text(virDomainGetXMLDesc(domain.get(), 0));
    replace_in(seen, "<domain type='test'>", "<domain type='kvm'>");
    const auto same = verify_domain_xml(seen, spec, XmlDialect::qemu);
    EXPECT_TRUE(same) << same.error().detail << seen;
    ASSERT_EQ(virDomainUndefine(domain.get()), 0);
    ++kept;
  }
  EXPECT_GT(kept, 50);
}

}  // namespace
}  // namespace nucleus::provisioner
