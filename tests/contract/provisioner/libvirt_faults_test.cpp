// A libvirtd that exits, restarts or hangs, with real domains.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "services/provisioner/driver/guest_files.hpp"
#include "services/provisioner/driver/libvirt_hypervisor.hpp"
#include "tests/contract/provisioner/hypervisor_world.hpp"
#include "tests/contract/provisioner/private_libvirtd.hpp"

namespace nucleus::provisioner {
namespace {

using core::ErrorCode;
using test::PrivateLibvirtd;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A call that takes longer was not bounded by the driver.
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
            .runtime_dir = directory.path(),
            .user = find_qemu_user("libvirt-qemu").value()};
  }

  static milliseconds since(Clock::time_point start) {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
  }

  tests::TemporaryFolder directory;
  std::optional<PrivateLibvirtd> libvirtd;
  std::optional<LibvirtHypervisor> hypervisor;
  std::optional<LinkRecord> link;
};

TEST_F(LibvirtFaults, FindsItsDomainAgainAfterLibvirtdWasKilledAndRestarted) {
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
  EXPECT_TRUE(hypervisor->create(a_spec("n1"))) << "the same domain runs already";
  // Waits until libvirtd has reconnected to the domain: one that dies before causes no event.
  ASSERT_TRUE(hypervisor->reset("n1"));
  ASSERT_EQ(::kill(qemu, SIGKILL), 0);
  EXPECT_EQ(events.await("n1", DomainState::crashed).epoch, 3u);
}

TEST_F(LibvirtFaults, DoesNotListADomainThatDiedWhileLibvirtdWasDown) {
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
  EXPECT_TRUE(hypervisor->create(a_spec("n1"))) << "its old sockets must not prevent this";
}

TEST_F(LibvirtFaults, FailsWhileLibvirtdHangsAndRecoversAfterwards) {
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

TEST_F(LibvirtFaults, ReportsThatAnIdleLibvirtdHangs) {
  libvirtd->pause();
  const auto start = Clock::now();
  ASSERT_TRUE(link->await(false));
  EXPECT_LE(since(start), bounded);
  libvirtd->resume();
  EXPECT_TRUE(link->await(true));
}

TEST_F(LibvirtFaults, IsDestroyedWhileLibvirtdHangs) {
  libvirtd->pause();
  ASSERT_TRUE(link->await(false));
  const auto start = Clock::now();
  link.reset();
  hypervisor.reset();
  EXPECT_LE(since(start), bounded);
  libvirtd->resume();
}

/// A process that listens in libvirtd's place and never answers.
class SilentListener {
 public:
  explicit SilentListener(const std::string& path)
      : socket_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    is_listening_ = bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                    listen(socket_, 8) == 0;
  }
  ~SilentListener() { close(socket_); }
  SilentListener(const SilentListener&) = delete;
  SilentListener& operator=(const SilentListener&) = delete;

  bool is_listening() const { return is_listening_; }
  /// A client has connected; it waits for an answer from now on.
  bool await_client() const {
    pollfd entry{socket_, POLLIN, 0};
    constexpr int timeout_ms = 10'000;
    return poll(&entry, 1, timeout_ms) == 1;
  }

 private:
  int socket_;
  bool is_listening_ = false;
};

TEST_F(LibvirtFaults, ConnectsWhileAnEarlierAttemptHangsForever) {
  tests::TemporaryFolder place;
  std::filesystem::create_directories(place.path() + "/run");
  const SilentListener silent(place.path() + "/run/libvirt-sock");
  ASSERT_TRUE(silent.is_listening());
  LibvirtHypervisor late("qemu+unix:///system?socket=" + place.path() + "/run/libvirt-sock");
  LinkRecord its_link(late);
  ASSERT_TRUE(silent.await_client());
  EXPECT_FALSE(late.ping());
  const PrivateLibvirtd its_libvirtd(place.path());  // takes the socket's path over
  EXPECT_TRUE(its_link.await(true));
  EXPECT_TRUE(late.capacity());
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
