// A libvirtd that ends, comes back or hangs, with real domains under it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "services/provisioner/driver/libvirt_hypervisor.hpp"
#include "tests/contract/provisioner/hypervisor_world.hpp"
#include "tests/contract/provisioner/private_libvirtd.hpp"

namespace nucleus::provisioner {
namespace {

using core::ErrorCode;
using test::PrivateLibvirtd;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A call that this took was bounded by a deadline of the driver's, not by the one who hangs.
constexpr milliseconds bounded{10'000};

class LibvirtFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "libvirtd needs root";
    libvirtd.emplace(directory.path());
    hypervisor.emplace(libvirtd->uri());
    link.emplace(*hypervisor);
    ASSERT_TRUE(link->await(true));
    ASSERT_TRUE(hypervisor->capacity());
  }

  DomainSpec a_spec(const std::string& name) const {
    return {.name = name,
            .uuid = domain_uuid(name),
            .epoch = 3,
            .cpus = 1,
            .memory_mb = 64,
            .runtime_dir = directory.path()};
  }

  static milliseconds since(Clock::time_point start) {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
  }

  ScratchDirectory directory;
  std::optional<PrivateLibvirtd> libvirtd;
  std::optional<LibvirtHypervisor> hypervisor;
  std::optional<LinkRecord> link;
};

TEST_F(LibvirtFaults, FindsItsDomainAgainAfterLibvirtdWasKilledAndStartedAgain) {
  ASSERT_TRUE(hypervisor->create(a_spec("n1")));
  const pid_t qemu = libvirtd->qemu_pid("n1");
  libvirtd->kill();
  ASSERT_TRUE(link->await(false));
  const auto refused = hypervisor->list();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_EQ(::kill(qemu, 0), 0) << "the domain died with libvirtd";

  libvirtd->start();
  ASSERT_TRUE(link->await(true));
  const auto all = hypervisor->list();
  ASSERT_TRUE(all) << all.error().detail;
  ASSERT_EQ(all->size(), 1u);
  EXPECT_EQ(all->front().state, DomainState::running);
  EXPECT_EQ(all->front().epoch, 3u);
  EXPECT_EQ(libvirtd->qemu_pid("n1"), qemu);

  EventRecord events{*hypervisor};
  EXPECT_TRUE(hypervisor->create(a_spec("n1"))) << "the same domain is there already";
  ASSERT_EQ(::kill(qemu, SIGKILL), 0);
  EXPECT_EQ(events.await("n1", DomainState::crashed).epoch, 3u);
}

TEST_F(LibvirtFaults, ListsADomainNoMoreThatDiedWhileLibvirtdWasAway) {
  ASSERT_TRUE(hypervisor->create(a_spec("n1")));
  const pid_t qemu = libvirtd->qemu_pid("n1");
  libvirtd->kill();
  ASSERT_TRUE(link->await(false));
  ASSERT_EQ(::kill(qemu, SIGKILL), 0);
  libvirtd->start();
  ASSERT_TRUE(link->await(true));
  const auto all = hypervisor->list();
  ASSERT_TRUE(all) << all.error().detail;
  EXPECT_THAT(*all, ::testing::IsEmpty());
  EXPECT_TRUE(hypervisor->create(a_spec("n1"))) << "its sockets must not stand in the way";
}

TEST_F(LibvirtFaults, RefusesWhileLibvirtdHangsAndGoesOnAfter) {
  ASSERT_TRUE(hypervisor->create(a_spec("n1")));
  libvirtd->pause();
  auto start = Clock::now();
  const auto refused = hypervisor->list();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_LE(since(start), bounded);
  ASSERT_TRUE(link->await(false));

  start = Clock::now();
  EXPECT_FALSE(hypervisor->create(a_spec("n2")));
  EXPECT_FALSE(hypervisor->ping());
  EXPECT_LE(since(start), bounded);

  libvirtd->resume();
  const bool is_back = link->await(true);
  const auto ping = hypervisor->ping();
  ASSERT_TRUE(is_back) << (ping ? "it answers" : ping.error().detail);
  EXPECT_EQ(hypervisor->list()->size(), 1u);
}

TEST_F(LibvirtFaults, TellsThatAnIdleLibvirtdHangs) {
  libvirtd->pause();
  const auto start = Clock::now();
  ASSERT_TRUE(link->await(false));
  EXPECT_LE(since(start), bounded);
  libvirtd->resume();
  EXPECT_TRUE(link->await(true));
}

TEST_F(LibvirtFaults, EndsWhileLibvirtdHangs) {
  libvirtd->pause();
  ASSERT_TRUE(link->await(false));
  const auto start = Clock::now();
  link.reset();
  hypervisor.reset();
  EXPECT_LE(since(start), bounded);
  libvirtd->resume();
}

TEST_F(LibvirtFaults, ReconnectsAfterARestart) {
  libvirtd->kill();
  ASSERT_TRUE(link->await(false));
  libvirtd->start();
  const auto start = Clock::now();
  ASSERT_TRUE(link->await(true));
  EXPECT_LE(since(start), bounded);
}

}  // namespace
}  // namespace nucleus::provisioner
