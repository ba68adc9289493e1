// Volumes that a host keeps itself: real nbdkit and qemu-io, and the image store's real server with
// TLS, which is stopped and started again.
#include "services/provisioner/driver/local_volumes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <csignal>
#include <fstream>

#include "tests/service/local_volumes_room.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;
using core::ErrorCode;
using testing::HasSubstr;

using LocalVolumes = LocalVolumesRoom;

TEST_F(LocalVolumes, ReadsADiskFromTheStoreAndKeepsWhatItReadAndWrote) {
  const auto volume = a_volume();
  const auto prepared = volumes_->prepare(volume);
  ASSERT_TRUE(prepared) << prepared.error().detail;
  EXPECT_TRUE(provisioner::is_base_served(volume.directory));
  EXPECT_EQ(read_of(volume, 4 * mebibyte), "");
  ASSERT_TRUE(eventually([&] { return !provisioner::is_base_served(volume.directory); }))
      << "it ends with the last connection";
  ASSERT_TRUE(volumes_->prepare(volume));
  ASSERT_TRUE(io(volume, {"write -P 77 1M 4k"}));
  ASSERT_TRUE(volumes_->prepare(volume)) << "the disk stays";
  const auto before = bytes_read();
  const auto written = io(volume, {"read -P 77 1M 4k"});
  ASSERT_TRUE(written) << written.error().detail;
  ASSERT_TRUE(volumes_->prepare(volume));
  EXPECT_EQ(read_of(volume, 4 * mebibyte), "");
  EXPECT_EQ(bytes_read(), before) << "what was read once is on the host";
}

TEST_F(LocalVolumes, CopiesAKernelWholeAndResumesACopyThatWasCutOff) {
  copy_timeout_ = std::chrono::milliseconds{0};  // after each piece
  restart();
  const auto volume = a_volume();
  auto prepared = volumes_->prepare(volume);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, ErrorCode::unavailable);
  EXPECT_EQ(prepared.error().detail, "its image is being copied: 4 of 9 MiB");
  EXPECT_FALSE(fs::exists(volume.kernel));
  restart();
  EXPECT_EQ(volumes_->prepare(volume).error().detail, "its image is being copied: 8 of 9 MiB");
  ASSERT_TRUE(volumes_->prepare(volume));
  std::ifstream file(volume.kernel, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), kernel_);
  EXPECT_EQ(bytes_read(), kernel_.size()) << "no byte twice";
}

TEST_F(LocalVolumes, RefusesACopyThatIsNotWhatTheStorePublished) {
  auto volume = a_volume();
  volume.copies[0].sha256 = core::sha256_hex("another");
  EXPECT_EQ(volumes_->prepare(volume).error().detail, "the copy of its image is damaged");
  EXPECT_FALSE(fs::exists(volume.kernel));
  EXPECT_TRUE(volumes_->prepare(a_volume())) << "it begins again";
}

TEST_F(LocalVolumes, SaysThatTheStoreDoesNotAnswerAndStartsWhenItDoes) {
  stop_store();
  const auto refused = volumes_->prepare(a_volume());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_THAT(refused.error().detail, HasSubstr("the image store does not answer"));
  start_store();
  EXPECT_TRUE(volumes_->prepare(a_volume()));
}

TEST_F(LocalVolumes, RefusesAStoreOfAnotherCaAndAWrongTicket) {
  auto volume = a_volume();
  volume.ticket = "stolen";
  EXPECT_EQ(volumes_->prepare(volume).error().code, ErrorCode::not_found);
  const Authority stranger;
  config_.ca_file = stranger.ca_file();
  restart();
  EXPECT_EQ(volumes_->prepare(a_volume()).error().code, ErrorCode::unavailable);
}

TEST_F(LocalVolumes, ReadsOnAfterTheStoreFailed) {
  const auto volume = a_volume();
  ASSERT_TRUE(volumes_->prepare(volume));
  answers_max_ = disk_requests_ + 2;  // the server's open, and the first read
  std::string first = "not read";
  {
    std::jthread reader([&] {
      const auto read = io(volume, {pattern(mebibyte), pattern(2 * mebibyte)});
      first = read ? *read : read.error().detail;
    });
    // Its server asks again and again, and answers QEMU once the store does.
    EXPECT_TRUE(eventually([&] { return disk_requests_ > answers_max_ + 2; }));
    answers_max_ = std::numeric_limits<int>::max();
  }
  EXPECT_NE(first.find("read 4096/4096 bytes at offset 2097152"), std::string::npos) << first;
}

TEST_F(LocalVolumes, ServesOnWhileTheProvisionerIsRestartedAndAgainIfTheServerDied) {
  const auto volume = a_volume();
  ASSERT_TRUE(volumes_->prepare(volume));
  pid_t pid = 0;
  std::ifstream(volume.directory + "/pid") >> pid;
  restart();
  serve(volume);
  pid_t now = 0;
  std::ifstream(volume.directory + "/pid") >> now;
  EXPECT_EQ(now, pid) << "the same server";
  kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return !provisioner::is_base_served(volume.directory); }));
  serve(volume);
  ASSERT_TRUE(provisioner::is_base_served(volume.directory));
  EXPECT_EQ(read_of(volume, 3 * mebibyte), "");
}

TEST_F(LocalVolumes, ServesOnWhenTheSupervisorThatAdoptedTheServerEnds) {
  const auto volume = a_volume();
  ASSERT_TRUE(volumes_->prepare(volume));
  provisioner::stop_base_server(volume.directory);
  ASSERT_TRUE(eventually([&] { return !provisioner::is_base_served(volume.directory); }));
  const pid_t supervisor = fork();
  if (supervisor == 0) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!provisioner::start_base_server(volume, config_.ca_file, {})) _exit(1);
    while (true) pause();
  }
  ASSERT_TRUE(eventually([&] { return provisioner::is_base_served(volume.directory); }));
  boost::asio::local::stream_protocol::iostream guest{
      boost::asio::local::stream_protocol::endpoint(provisioner::base_socket(volume))};
  std::string greeting(8, ' ');
  guest.read(greeting.data(), static_cast<std::streamsize>(greeting.size()));
  ASSERT_EQ(greeting, "NBDMAGIC");
  kill(supervisor, SIGKILL);
  waitpid(supervisor, nullptr, 0);
  EXPECT_EQ(read_of(volume, 3 * mebibyte), "");
  EXPECT_TRUE(provisioner::is_base_served(volume.directory)) << "by the same process";
}

TEST_F(LocalVolumes, EndsTheServersOfVolumesThatNothingNeeds) {
  const auto volume = a_volume();
  const auto other = a_volume("m");
  ASSERT_TRUE(volumes_->prepare(volume));
  ASSERT_TRUE(volumes_->prepare(other));
  volumes_->serve({}, volumes_->begin_serve(), false);
  EXPECT_TRUE(provisioner::is_base_served(volume.directory)) << "what runs is not known yet";
  const auto begun = volumes_->begin_serve();
  provisioner::stop_base_server(other.directory);
  ASSERT_TRUE(eventually([&] { return !provisioner::is_base_served(other.directory); }));
  ASSERT_TRUE(volumes_->prepare(other));
  volumes_->serve({}, begun, true);
  EXPECT_TRUE(eventually([&] { return !provisioner::is_base_served(volume.directory); }));
  EXPECT_TRUE(provisioner::is_base_served(other.directory)) << "started since that was decided";
  EXPECT_TRUE(fs::exists(volume.disk->path));
}

TEST_F(LocalVolumes, NeverTakesAnotherProcessForItsServer) {
  const auto volume = a_volume();
  ASSERT_TRUE(volumes_->prepare(volume));
  provisioner::stop_base_server(volume.directory);
  ASSERT_TRUE(eventually([&] { return !provisioner::is_base_served(volume.directory); }));
  std::ofstream(volume.directory + "/pid") << getpid();
  EXPECT_FALSE(provisioner::is_base_served(volume.directory));
  provisioner::stop_base_server(volume.directory);  // and this test runs on
}

TEST_F(LocalVolumes, PassesTheTicketInNoArgumentAndLetsNobodyElseReadIt) {
  const auto volume = a_volume();
  ASSERT_TRUE(volumes_->prepare(volume));
  pid_t pid = 0;
  std::ifstream(volume.directory + "/pid") >> pid;
  for (const auto* file : {"cmdline", "environ"}) {
    std::ifstream shown("/proc/" + std::to_string(pid) + "/" + file, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(shown), {});
    EXPECT_EQ(text.find("secret"), std::string::npos) << file;
  }
  const auto open_to_others = fs::perms::group_all | fs::perms::others_all;
  EXPECT_EQ(fs::status(volume.directory + "/ticket").permissions() & open_to_others,
            fs::perms::none);
  EXPECT_EQ(fs::status(provisioner::base_socket(volume)).permissions() & open_to_others,
            fs::perms::none);
}

TEST_F(LocalVolumes, RemovesADiskWithItsServer) {
  const auto volume = a_volume();
  ASSERT_TRUE(volumes_->prepare(volume));
  ASSERT_TRUE(volumes_->remove({"n"}));
  EXPECT_FALSE(fs::exists(volume.directory));
  EXPECT_TRUE(volumes_->remove({"n"})) << "again";
}

}  // namespace
}  // namespace nucleus::tests
