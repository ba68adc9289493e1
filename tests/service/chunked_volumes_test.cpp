// Bases of disks that nbdkit reads through the provisioner's chunks: real nbdkit and qemu-io, and
// the image store's real server with TLS.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <boost/asio/local/stream_protocol.hpp>

#include "services/provisioner/driver/host_chunks.hpp"
#include "tests/service/local_volumes_room.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {
namespace {

class ChunkedVolumes : public LocalVolumesRoom {
 protected:
  ChunkedVolumes() {
    config_.copy_rate_mb_s = 0;  // what is counted is what nodes read
    open();
  }
  /// As another provisioner does after the first was killed.
  void open() {
    close();
    auto opened = provisioner::HostChunks::open(config_, std::string(64, 'a'), host_registry_);
    if (!opened) throw std::runtime_error(opened.error().detail);
    chunks_ = std::move(*opened);
    volumes_ =
        std::make_unique<provisioner::LocalVolumes>(provisioner::volume_options(config_), chunks_);
  }
  void close() {
    volumes_.reset();
    chunks_.reset();
  }
  double chunks_sent() const { return metrics_.chunks_sent.Value(); }
  /// The status line of a request to the socket for nbdkit.
  std::string ask(const std::string& path, const std::string& ticket) {
    boost::asio::local::stream_protocol::iostream server{
        boost::asio::local::stream_protocol::endpoint(provisioner::chunk_socket(config_))};
    server << "GET " << path << " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " << ticket
           << "\r\nRange: bytes=0-9\r\nConnection: close\r\n\r\n"
           << std::flush;
    std::string status;
    std::getline(server, status);
    return status.substr(9, 3);
  }

  prometheus::Registry host_registry_;
  std::shared_ptr<provisioner::HostChunks> chunks_ = {};
};

TEST_F(ChunkedVolumes, FetchesWhatTwoNodesReadOnce) {
  const auto volume = a_volume();
  const auto other = a_volume("m");
  const auto prepared = volumes_->prepare(volume);
  ASSERT_TRUE(prepared) << prepared.error().detail;
  EXPECT_EQ(read_of(volume, 4 * mebibyte), "");
  const auto sent = chunks_sent();
  EXPECT_GE(sent, 1);
  EXPECT_LE(sent, 3) << "the disk's first blocks, and what was read";
  ASSERT_TRUE(volumes_->prepare(other));
  EXPECT_EQ(read_of(other, 4 * mebibyte), "");
  EXPECT_EQ(chunks_sent(), sent);
  ASSERT_TRUE(volumes_->prepare(other));
  EXPECT_EQ(read_of(other, 7 * mebibyte), "");
  EXPECT_EQ(chunks_sent(), sent + 1);
  EXPECT_EQ(bytes_read(), kernel_.size()) << "no range of the disk";
}

TEST_F(ChunkedVolumes, ReadsOnWhenTheProvisionerIsBackAndFindsItsChunks) {
  const auto volume = a_volume();
  ASSERT_TRUE(volumes_->prepare(volume));
  EXPECT_EQ(read_of(volume, 2 * mebibyte), "");
  ASSERT_TRUE(volumes_->prepare(volume));
  const auto sent = chunks_sent();
  close();
  std::string log;
  std::atomic<bool> is_read = false;
  {
    std::jthread reader([&] {
      const auto read = io(volume, {pattern(mebibyte), pattern(2 * mebibyte)});
      log = read ? *read : read.error().detail;
      is_read = true;
    });
    EXPECT_TRUE(provisioner::is_base_served(volume.directory)) << "nbdkit outlives it";
    open();
    serve(volume);
  }
  EXPECT_NE(log.find("read 4096/4096 bytes at offset 2097152"), std::string::npos) << log;
  EXPECT_TRUE(is_read);
  EXPECT_LE(chunks_sent(), sent + 1) << "the second MiB alone is new";
}

TEST_F(ChunkedVolumes, RecordsWhatTheFirstNodeReadUntilItWasReady) {
  const auto volume = a_volume();
  const auto recorded = folder_.file("disk.working-set");
  ASSERT_TRUE(volumes_->prepare(volume));
  EXPECT_EQ(read_of(volume, 4 * mebibyte), "");
  serve(volume);
  EXPECT_EQ(volumes_->booting(), std::set<msg::NodeId>{{"n"}});
  volumes_->set_ready({"n"});
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(recorded); }));
  std::ifstream file(recorded, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  const auto set = msg::decode<msg::WorkingSet>(bytes);
  EXPECT_THAT(set.indexes, testing::Contains(4));
  EXPECT_THAT(set.indexes, testing::Each(testing::Ne(7))) << "nobody read it";
  ASSERT_TRUE(volumes_->prepare(volume));
  EXPECT_EQ(read_of(volume, 7 * mebibyte), "");
  EXPECT_THAT(volumes_->booting(), testing::IsEmpty()) << "its disk is not new any more";
}

TEST_F(ChunkedVolumes, ReadsWhatIsCopiedWithoutTheImageStore) {
  config_.copy_rate_mb_s = 1000;
  open();
  const auto volume = a_volume();
  ASSERT_TRUE(volumes_->prepare(volume));
  EXPECT_EQ(read_of(volume, 0), "");
  ASSERT_TRUE(volumes_->prepare(volume));
  serve(volume);
  ASSERT_TRUE(eventually([&] { return chunks_sent() == 8 && volumes_->image_copies().empty(); }));
  stop_store();
  EXPECT_EQ(read_of(volume, 6 * mebibyte), "") << "nobody had read it before";
  open();
  const auto prepared = volumes_->prepare(volume);
  EXPECT_TRUE(prepared) << "another process knows the list: " << prepared.error().detail;
  EXPECT_EQ(read_of(volume, 7 * mebibyte), "");
  start_store();
  EXPECT_EQ(chunks_sent(), 8);
}

TEST_F(ChunkedVolumes, OpensABaseToItsTicketAloneWhileAVolumeNeedsIt) {
  const auto volume = a_volume();
  ASSERT_TRUE(volumes_->prepare(volume));
  EXPECT_EQ(ask("/base/x/disk", "secret"), "206");
  EXPECT_EQ(ask("/base/x/disk", "stolen"), "401");
  EXPECT_EQ(ask("/base/y/disk", "secret"), "401");
  EXPECT_EQ(ask("/base/x/kernel", "secret"), "404");
  EXPECT_EQ(ask("/base/x/disk/chunks?page=0", "secret"), "404");
  volumes_->serve({}, volumes_->begin_serve(), true);
  EXPECT_EQ(ask("/base/x/disk", "secret"), "401") << "no volume needs it any more";
  struct stat status {};
  ASSERT_EQ(stat(provisioner::chunk_socket(config_).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

}  // namespace
}  // namespace nucleus::tests
