// Volumes that a host keeps itself: real nbdkit and qemu-io, and the image store's real server with
// TLS, which is stopped and started again.
#include "services/provisioner/driver/local_volumes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <limits>

#include "core/digest/digest.hpp"
#include "services/image_store/driver/file_server.hpp"
#include "services/provisioner/driver/base_server.hpp"
#include "tests/support/authority.hpp"
#include "tests/support/process.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;
using core::ErrorCode;
using provisioner::Config;
using provisioner::HostVolume;
using testing::HasSubstr;

constexpr std::uint64_t mebibyte = 1 << 20;

class LocalVolumes : public testing::Test {
 protected:
  LocalVolumes() {
    disk_.resize(8 * mebibyte);
    for (std::size_t i = 0; i < disk_.size(); ++i) disk_[i] = static_cast<char>(1 + i / 4096 % 250);
    kernel_.assign(9 * mebibyte, 'k');
    std::ofstream(folder_.file("disk"), std::ios::binary) << disk_;
    std::ofstream(folder_.file("kernel"), std::ios::binary) << kernel_;
    config_.state_directory = folder_.file("state");
    config_.ca_file = authority_.ca_file();
    start_store();
    config_.image_store_url = "https://" + store_->endpoint().text();
    restart();
  }
  ~LocalVolumes() override {
    for (const auto* node : {"n", "m"})
      provisioner::stop_base_server(folder_.file("state/volumes/") + node);
  }

  void start_store() {
    store_ = std::make_unique<image_store::FileServer>(
        core::http::ServerOptions{
            .listen = {.endpoint = listen_, .certificate = authority_.certificate()}},
        metrics_,
        [this](const image_store::FileRequest& request,
               const std::function<void(core::Result<std::string>)>& done) {
          if (request.ticket != "secret")
            return done(core::refuse(ErrorCode::unauthenticated, "no such ticket"));
          const bool is_disk = request.kind == msg::BaseFileKind::disk;
          if (is_disk && ++disk_requests_ > answers_max_)
            return done(core::refuse(ErrorCode::unavailable, "away"));
          done(folder_.file(std::string(msg::name_of(request.kind))));
        });
    listen_ = store_->endpoint();
  }
  void stop_store() { store_.reset(); }
  /// As another provisioner does after the first was killed.
  void restart() {
    auto options = provisioner::volume_options(config_);
    options.copy_timeout = copy_timeout_;
    volumes_ = std::make_unique<provisioner::LocalVolumes>(options);
  }

  HostVolume a_volume(const std::string& node = "n") {
    using enum msg::BaseFileKind;
    return provisioner::plan_host_volume(
        {.node_id = {node},
         .path = "/store/n.qcow2",
         .ticket = "secret",
         .disk_bytes = 16 * mebibyte,
         .base = {{.kind = disk, .content_id = "x", .format = "raw", .size_bytes = disk_.size()},
                  {.kind = kernel,
                   .content_id = "x",
                   .size_bytes = kernel_.size(),
                   .sha256 = core::sha256_hex(kernel_)}}},
        config_);
  }
  /// Runs commands of qemu-io on the disk, which reads it through its base as QEMU does.
  static core::Result<std::string> io(const HostVolume& volume,
                                      const std::vector<std::string>& commands) {
    core::ChildCommand child{.argv = {"qemu-io", "-C", "-f", "qcow2"}, .deadline = wait_timeout};
    for (const auto& command : commands) child.argv.insert(child.argv.end(), {"-c", command});
    child.argv.push_back(volume.disk->path);
    return core::must_run_child(child);
  }
  /// Reads a block of the image and compares it.
  static std::string pattern(std::uint64_t at) {
    return "read -P " + std::to_string(1 + at / 4096 % 250) + " " + std::to_string(at) + " 4k";
  }
  static std::string read_of(const HostVolume& volume, std::uint64_t at) {
    const auto read = io(volume, {pattern(at)});
    if (!read) return read.error().detail;
    return read->find("failed") == read->npos ? "" : *read;
  }
  std::uint64_t bytes_read() const {
    return static_cast<std::uint64_t>(metrics_.bytes_read.Value());
  }
  void serve(const HostVolume& volume) {
    volumes_->serve({{volume, true}}, volumes_->begin_serve(), true);
  }

  std::string disk_ = {};
  std::string kernel_ = {};
  TemporaryFolder folder_ = {};
  Authority authority_ = {};
  prometheus::Registry registry_;
  image_store::Metrics metrics_{registry_};
  core::Endpoint listen_ = {};
  std::atomic<int> disk_requests_ = 0;
  std::atomic<int> answers_max_ = std::numeric_limits<int>::max();  // of requests for the disk
  std::chrono::milliseconds copy_timeout_{20'000};
  std::unique_ptr<image_store::FileServer> store_ = {};
  Config config_ = {};
  std::unique_ptr<provisioner::LocalVolumes> volumes_ = {};
};

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
  EXPECT_EQ(written->find("failed"), std::string::npos);
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
  EXPECT_EQ(first.find("failed"), std::string::npos) << first;
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
