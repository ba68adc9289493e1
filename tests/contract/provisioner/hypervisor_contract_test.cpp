// One suite for every hypervisor, so that the fake behaves as the real one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/contract/provisioner/hypervisor_world.hpp"

namespace nucleus::provisioner {
namespace {

using core::ErrorCode;
using ::testing::HasSubstr;

struct NamedWorld {
  const char* name;
  MakeWorld make;
};

class HypervisorContract : public ::testing::TestWithParam<NamedWorld> {
 protected:
  void SetUp() override {
    if (!world) GTEST_SKIP() << "this world needs root";
  }

  void TearDown() override {
    if (!world) return;
    if (const auto all = hypervisor->list()) {
      for (const auto& domain : *all) EXPECT_TRUE(hypervisor->destroy(domain.name));
    }
  }

  DomainSeen seen(const std::string& name) {
    const auto all = hypervisor->list();
    EXPECT_TRUE(all) << all.error().detail;
    for (const auto& domain : all.value_or(std::vector<DomainSeen>{}))
      if (domain.name == name) return domain;
    return {.state = DomainState::absent};
  }

  std::unique_ptr<HypervisorWorld> world = GetParam().make();
  Hypervisor* hypervisor = world ? &world->hypervisor() : nullptr;
};

#define EXPECT_SUCCESS(call)                        \
  do {                                              \
    const auto result_ = (call);                    \
    EXPECT_TRUE(result_) << result_.error().detail; \
  } while (false)

TEST_P(HypervisorContract, RunsACreatedDomainUnderItsEpoch) {
  const auto spec = world->a_spec("n1");
  EXPECT_SUCCESS(hypervisor->create(spec));
  const auto domain = seen("n1");
  EXPECT_EQ(domain.state, DomainState::running);
  EXPECT_EQ(domain.uuid, spec.uuid);
  EXPECT_EQ(domain.epoch, 7u);
  EXPECT_EQ(domain.reason, "");
}

TEST_P(HypervisorContract, DoesNotCreateARunningDomainTwice) {
  EXPECT_SUCCESS(hypervisor->create(world->a_spec("n1")));
  EXPECT_SUCCESS(hypervisor->create(world->a_spec("n1")));
  EXPECT_EQ(hypervisor->list()->size(), 1u);
}

TEST_P(HypervisorContract, LeavesADomainOfAnotherEpochAloneAndNamesIt) {
  auto spec = world->a_spec("n1");
  EXPECT_SUCCESS(hypervisor->create(spec));
  spec.epoch = 8;
  const auto refused = hypervisor->create(spec);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::conflict);
  EXPECT_THAT(refused.error().detail, HasSubstr("epoch 7"));
  EXPECT_EQ(seen("n1").epoch, 7u);
}

TEST_P(HypervisorContract, ResumesNoDomainThatIsNotThere) {
  const auto refused = hypervisor->resume("n1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_found);
}

TEST_P(HypervisorContract, RefusesASecondDomainOfTheSameName) {
  auto spec = world->a_spec("n1");
  EXPECT_SUCCESS(hypervisor->create(spec));
  spec.uuid = domain_uuid("another");
  const auto refused = hypervisor->create(spec);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::conflict);
  EXPECT_EQ(seen("n1").uuid, domain_uuid("n1"));
}

TEST_P(HypervisorContract, ForgetsADestroyedDomain) {
  EXPECT_SUCCESS(hypervisor->create(world->a_spec("n1")));
  EXPECT_SUCCESS(hypervisor->destroy("n1"));
  EXPECT_EQ(seen("n1").state, DomainState::absent);
  EXPECT_SUCCESS(hypervisor->destroy("n1"));
}

TEST_P(HypervisorContract, SucceedsInStoppingADomainThatDoesNotExist) {
  EXPECT_SUCCESS(hypervisor->destroy("nobody"));
  EXPECT_SUCCESS(hypervisor->shut_down("nobody"));
}

TEST_P(HypervisorContract, FailsToRebootOrReachADomainThatDoesNotExist) {
  EXPECT_EQ(hypervisor->reboot("nobody").error().code, ErrorCode::not_found);
  EXPECT_EQ(hypervisor->reset("nobody").error().code, ErrorCode::not_found);
  EXPECT_EQ(hypervisor->console("nobody").error().code, ErrorCode::not_found);
  EXPECT_EQ(hypervisor->run_in_guest("nobody", {.argv = {"/bin/true"}}).error().code,
            ErrorCode::not_found);
}

TEST_P(HypervisorContract, CountsWhatRunningDomainsUse) {
  if (world->is_simulated()) GTEST_SKIP() << "its domains are no guests";
  auto spec = world->a_spec("n1");
  spec.cpus = 2;
  EXPECT_SUCCESS(hypervisor->create(spec));
  const auto first = hypervisor->usage();
  ASSERT_TRUE(first) << first.error().detail;
  ASSERT_EQ(first->size(), 1U);
  EXPECT_EQ(first->front().uuid, spec.uuid);
  EXPECT_EQ(first->front().cpus, 2U);
  const auto second = hypervisor->usage();
  ASSERT_TRUE(second && second->size() == 1U);
  EXPECT_GE(second->front().cpu_ns, first->front().cpu_ns);
  EXPECT_SUCCESS(hypervisor->destroy("n1"));
  EXPECT_TRUE(hypervisor->usage()->empty());
}

TEST_P(HypervisorContract, ReportsStartAndEndWithTheEpochOfEach) {
  EventRecord events{*hypervisor};
  for (const std::uint64_t epoch : {11u, 12u}) {
    events.clear();
    auto spec = world->a_spec("n1");
    spec.epoch = epoch;
    EXPECT_SUCCESS(hypervisor->create(spec));
    EXPECT_EQ(events.await("n1", DomainState::running).epoch, epoch);
    EXPECT_SUCCESS(hypervisor->destroy("n1"));
    const auto ended = events.await("n1", DomainState::shutoff);
    EXPECT_EQ(ended.epoch, epoch);
    EXPECT_EQ(ended.uuid, spec.uuid);
    EXPECT_EQ(ended.reason, "destroyed");
  }
}

TEST_P(HypervisorContract, ReportsAKilledDomainAsCrashedAndNoLongerListsIt) {
  EventRecord events{*hypervisor};
  EXPECT_SUCCESS(hypervisor->create(world->a_spec("n1")));
  if (!world->kill_domain("n1")) return;  // libvirt's mock has no process
  const auto crashed = events.await("n1", DomainState::crashed);
  EXPECT_EQ(crashed.epoch, 7u);
  EXPECT_NE(crashed.reason, "");
  EXPECT_EQ(seen("n1").state, DomainState::absent);
}

TEST_P(HypervisorContract, CreatesADomainOnceForEightConcurrentCallers) {
  const auto spec = world->a_spec("n1");
  EXPECT_SUCCESS(hypervisor->ping());
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 8; ++i)
      callers.emplace_back([&] { EXPECT_SUCCESS(hypervisor->create(spec)); });
  }
  EXPECT_EQ(hypervisor->list()->size(), 1u);
}

TEST_P(HypervisorContract, RefusesHostileTextNamingItsField) {
  const auto refused_field = [&](auto change) {
    auto spec = world->a_spec("n1");
    change(spec);
    const auto result = hypervisor->create(spec);
    EXPECT_FALSE(result);
    if (result) return std::string{};
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    return result.error().field;
  };
  EXPECT_EQ(refused_field([](DomainSpec& s) { s.name = "../n1"; }), "name");
  EXPECT_EQ(refused_field([](DomainSpec& s) { s.name = "n1\"/><disk"; }), "name");
  EXPECT_EQ(refused_field([](DomainSpec& s) { s.name = "n1\n"; }), "name");
  EXPECT_EQ(refused_field([](DomainSpec& s) { s.uuid = "7"; }), "uuid");
  EXPECT_EQ(refused_field([](DomainSpec& s) { s.title = "a\x01z"; }), "title");
  EXPECT_EQ(refused_field([](DomainSpec& s) { s.title = "\xff\xfe"; }), "title");
  EXPECT_EQ(refused_field([](DomainSpec& s) { s.cpus = 0; }), "cpus");
  EXPECT_EQ(refused_field([](DomainSpec& s) { s.memory_mb = 1ull << 40; }), "memory_mb");
  EXPECT_EQ(refused_field([](DomainSpec& s) { s.kernel = "vmlinuz"; }), "kernel");
  EXPECT_EQ(refused_field([](DomainSpec& s) { s.runtime_dir = "/" + std::string(100, 'd'); }),
            "runtime_dir");
  EXPECT_EQ(refused_field([](DomainSpec& s) { s.disks = {{.path = "/d", .format = "vmdk"}}; }),
            "disks.format");
  const PortSpec port{.mac = "52:54:00:00:00:01", .bridge = "b", .vlan = 101, .device = "tap1"};
  EXPECT_EQ(refused_field([&](DomainSpec& s) { (s.ports = {port})[0].mac = "53:54:00:00:00:01"; }),
            "ports.mac");
  EXPECT_EQ(refused_field([&](DomainSpec& s) { (s.ports = {port})[0].vlan = 4095; }), "ports.vlan");
  EXPECT_EQ(refused_field([&](DomainSpec& s) { (s.ports = {port})[0].device = "a b"; }),
            "ports.device");
  EXPECT_EQ(refused_field([&](DomainSpec& s) { (s.ports = {port})[0].bridge = "-b"; }),
            "ports.bridge");
  EXPECT_EQ(seen("n1").state, DomainState::absent);
}

TEST_P(HypervisorContract, KeepsMarkupInATitleAsText) {
  auto spec = world->a_spec("n1");
  spec.title = "</title><devices><disk type='file'/>&amp;<!--\"]]>";
  EXPECT_SUCCESS(hypervisor->create(spec));
  EXPECT_EQ(seen("n1").state, DomainState::running);
}

TEST_P(HypervisorContract, AnswersAndReportsTheSizeOfItsHost) {
  EXPECT_SUCCESS(hypervisor->ping());
  const auto capacity = hypervisor->capacity();
  ASSERT_TRUE(capacity) << capacity.error().detail;
  EXPECT_GT(capacity->cpus, 0u);
  EXPECT_GT(capacity->memory_mb, 0u);
  EXPECT_NE(capacity->hypervisor, "");
}

TEST_P(HypervisorContract, AddsOverlaysToTheDiskOfARunningDomainAndMergesThem) {
  EXPECT_EQ(hypervisor->disk_files("n1").error().code, ErrorCode::not_found);
  EXPECT_EQ(hypervisor->add_overlay("n1", "/o1").error().code, ErrorCode::not_found);
  auto spec = world->a_spec("n1");
  EXPECT_SUCCESS(hypervisor->create(spec));
  EXPECT_EQ(hypervisor->disk_files("n1").error().code, ErrorCode::wrong_state) << "it has no disk";
  EXPECT_EQ(hypervisor->add_overlay("n1", "/o1").error().code, ErrorCode::wrong_state);
  if (world->is_simulated()) return;
  EXPECT_SUCCESS(hypervisor->destroy("n1"));
  spec.name = "n2";
  spec.uuid = domain_uuid("n2");
  spec.disks = {{.path = world->a_disk_file("disk"), .format = "qcow2"}};
  EXPECT_SUCCESS(hypervisor->create(spec));
  const auto disk = spec.disks[0].path;
  EXPECT_EQ(hypervisor->disk_files("n2").value(), std::vector{disk});
  const std::vector overlays{world->a_disk_file("o1"), world->a_disk_file("o2"),
                             world->a_disk_file("o3")};
  for (const auto& overlay : overlays) EXPECT_SUCCESS(hypervisor->add_overlay("n2", overlay));
  EXPECT_EQ(hypervisor->disk_files("n2").value(),
            (std::vector{overlays[2], overlays[1], overlays[0], disk}));
  EXPECT_EQ(hypervisor->merge_overlays("n2", {.top = overlays[2], .base = disk}).error().code,
            ErrorCode::wrong_state)
      << "the domain writes it";
  EXPECT_EQ(hypervisor->merge_overlays("n2", {.top = overlays[1], .base = "/o9"}).error().code,
            ErrorCode::wrong_state);
  EXPECT_SUCCESS(hypervisor->merge_overlays("n2", {.top = overlays[1], .base = disk}));
  EXPECT_EQ(hypervisor->disk_files("n2").value(), (std::vector{overlays[2], disk}));
  EXPECT_SUCCESS(hypervisor->merge_overlays("n2", {.top = overlays[1], .base = disk}));
}

TEST_P(HypervisorContract, SavesTheMemoryOfADomainAndStopsIt) {
  const auto path = world->memory_directory() + "/n1.46-7.memory";
  EXPECT_EQ(hypervisor->save_memory("n1", path).error().code, ErrorCode::not_found);
  EventRecord events{*hypervisor};
  EXPECT_SUCCESS(hypervisor->create(world->a_spec("n1")));
  const auto saved = hypervisor->save_memory("n1", path);
  ASSERT_TRUE(saved) << saved.error().detail;
  EXPECT_GT(*saved, 0U);
  EXPECT_EQ(seen("n1").state, DomainState::absent);
  EXPECT_EQ(events.await("n1", DomainState::shutoff).epoch, 7U);
  const auto again = hypervisor->save_memory("n1", path);
  ASSERT_TRUE(again) << "a call that was cut off is repeated: " << again.error().detail;
  EXPECT_EQ(*again, *saved);
}

TEST_P(HypervisorContract, RestoresADomainFromItsMemoryOnceUnderANewEpoch) {
  const auto path = world->memory_directory() + "/n1.46-7.memory";
  auto spec = world->a_spec("n1");
  EXPECT_SUCCESS(hypervisor->create(spec));
  ASSERT_TRUE(hypervisor->save_memory("n1", path));
  EXPECT_FALSE(hypervisor->is_restored(path, 8).value());
  spec.epoch = 8;
  EventRecord events{*hypervisor};
  EXPECT_SUCCESS(hypervisor->restore(spec, path));
  EXPECT_EQ(events.await("n1", DomainState::running).epoch, 8U);
  const auto domain = seen("n1");
  EXPECT_EQ(domain.state, DomainState::running);
  EXPECT_EQ(domain.epoch, 8U);
  EXPECT_EQ(domain.uuid, spec.uuid);
  EXPECT_TRUE(hypervisor->is_restored(path, 8).value());
  EXPECT_FALSE(hypervisor->is_restored(path, 9).value());
  EXPECT_SUCCESS(hypervisor->restore(spec, path));  // it runs already
  EXPECT_SUCCESS(hypervisor->destroy("n1"));
  spec.epoch = 9;
  const auto second = hypervisor->restore(spec, path);
  ASSERT_FALSE(second) << "memory runs once";
  EXPECT_EQ(second.error().code, ErrorCode::not_found);
  EXPECT_EQ(seen("n1").state, DomainState::absent);
  EXPECT_SUCCESS(hypervisor->create(spec));
}

TEST_P(HypervisorContract, RestoresNothingFromDamagedMemory) {
  const auto path = world->memory_directory() + "/n1.46-7.memory";
  auto spec = world->a_spec("n1");
  EXPECT_SUCCESS(hypervisor->create(spec));
  ASSERT_TRUE(hypervisor->save_memory("n1", path));
  world->damage(path);
  spec.epoch = 8;
  const auto refused = hypervisor->restore(spec, path);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("damaged"));
  EXPECT_EQ(seen("n1").state, DomainState::absent);
  EXPECT_FALSE(hypervisor->is_restored(path, 8).value());
  EXPECT_EQ(hypervisor->restore(spec, path).error().code, ErrorCode::not_found);
}

TEST_P(HypervisorContract, RemovesTheMemoryThatIsNotKept) {
  const auto directory = world->memory_directory();
  EXPECT_SUCCESS(hypervisor->remove_memories(directory, {}));
  for (const char* name : {"n1", "n2"}) {
    EXPECT_SUCCESS(hypervisor->create(world->a_spec(name)));
    ASSERT_TRUE(hypervisor->save_memory(name, directory + "/" + name + ".46-7.memory"));
  }
  EXPECT_SUCCESS(hypervisor->remove_memories(directory, {"n1.46-7.memory"}));
  auto spec = world->a_spec("n2");
  spec.epoch = 8;
  EXPECT_EQ(hypervisor->restore(spec, directory + "/n2.46-7.memory").error().code,
            ErrorCode::not_found);
  spec = world->a_spec("n1");
  spec.epoch = 8;
  EXPECT_SUCCESS(hypervisor->restore(spec, directory + "/n1.46-7.memory"));
  EXPECT_SUCCESS(hypervisor->remove_memories(directory, {}));
  EXPECT_FALSE(hypervisor->is_restored(directory + "/n1.46-7.memory", 8).value());
}

TEST_P(HypervisorContract, SetsNoClockOfAGuestWithoutAnAgent) {
  EXPECT_EQ(hypervisor->set_clock("n1").error().code, ErrorCode::not_found);
  EXPECT_SUCCESS(hypervisor->create(world->a_spec("n1")));
  const auto set = hypervisor->set_clock("n1");
  if (set)
    EXPECT_TRUE(world->is_simulated()) << "libvirt's mock driver sets a clock of no guest";
  else
    EXPECT_EQ(set.error().code, ErrorCode::unavailable);
}

TEST_P(HypervisorContract, ReturnsTheConsolesUnlessSimulated) {
  const auto spec = world->a_spec("n1");
  EXPECT_SUCCESS(hypervisor->create(spec));
  const auto console = hypervisor->console("n1");
  if (world->is_simulated()) {
    ASSERT_FALSE(console);
    EXPECT_EQ(console.error().code, ErrorCode::wrong_state);
    return;
  }
  ASSERT_TRUE(console) << console.error().detail;
  EXPECT_EQ(console->serial_socket, spec.runtime_dir + "/n1.serial");
  EXPECT_EQ(console->vnc_socket, spec.runtime_dir + "/n1.vnc");
  EXPECT_EQ(console->serial_log, spec.runtime_dir + "/n1.log");
}

INSTANTIATE_TEST_SUITE_P(Every, HypervisorContract,
                         ::testing::Values(NamedWorld{"Fake", make_fake_world},
                                           NamedWorld{"Simulated", make_simulated_world},
                                           NamedWorld{"Qemu", make_qemu_world}),
                         [](const auto& world) { return std::string(world.param.name); });

}  // namespace
}  // namespace nucleus::provisioner
