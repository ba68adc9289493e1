// Layers of disks between two hosts: sealed on one, sent to the image store's real server of
// uploads over TLS, and read by the other from its real server of files.
#include <gtest/gtest.h>

#include "services/provisioner/driver/disk_layers.hpp"
#include "tests/service/local_volumes_room.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;
using core::ErrorCode;
using provisioner::HostVolume;

class Layers : public LocalVolumesRoom {
 protected:
  Layers() { start_uploads(); }
  ~Layers() override { provisioner::stop_base_server(folder_.file("elsewhere/volumes/n")); }

  /// The node's volume on this host, or on another, whose disk has these layers.
  HostVolume layered(const std::vector<msg::BaseFile>& layers, bool is_elsewhere = false) {
    auto config = config_;
    if (is_elsewhere) config.state_directory = folder_.file("elsewhere");
    return provisioner::plan_host_volume(
        {.node_id = {"n"},
         .path = "/store/n.qcow2",
         .ticket = "secret",
         .disk_bytes = 16 * mebibyte,
         .base = {{.kind = msg::BaseFileKind::disk, .content_id = "x", .format = "raw"}},
         .layers = layers},
        config);
  }
  std::unique_ptr<provisioner::LocalVolumes> another_host() {
    auto config = config_;
    config.state_directory = folder_.file("elsewhere");
    auto options = provisioner::volume_options(config);
    options.copy_timeout = copy_timeout_;
    return std::make_unique<provisioner::LocalVolumes>(options);
  }
  static void prepare(provisioner::LocalVolumes& host, const HostVolume& volume) {
    const auto prepared = host.prepare(volume);
    ASSERT_TRUE(prepared) << prepared.error().detail;
  }
  core::Result<msg::SealedDisk> seal(const std::string& save) {
    return volumes_->seal(volumes_->claim({"n"}), {.node_id = {"n"}, .save_id = save});
  }
  msg::SealedDisk sealed(const std::string& save) {
    msg::SealedDisk disk;
    EXPECT_TRUE(eventually([&] {
      const auto reply = seal(save);
      EXPECT_TRUE(reply) << reply.error().detail;
      if (reply) disk = *reply;
      return !reply || disk.is_sealed;
    }));
    return disk;
  }
  core::Result<msg::LayerSent> send(const msg::SendLayer& request) {
    return volumes_->send_layer(volumes_->claim({"n"}), request);
  }
  bool is_sent(const std::string& save) {
    return eventually(
        [&] { return send(a_transfer(save)).value_or(msg::LayerSent{}).is_complete; });
  }
  /// As the image store does with a complete upload.
  msg::BaseFile publish(const std::string& content, const msg::SealedDisk& disk) {
    fs::rename(received_uploads_.path_of(upload_id_), folder_.file(content));
    return {.kind = msg::BaseFileKind::layer,
            .content_id = content,
            .format = "qcow2",
            .size_bytes = disk.size_bytes,
            .sha256 = disk.sha256};
  }
  /// Saves what was written, as the scheduler and the image store do.
  msg::BaseFile save(const std::string& save, const std::string& content) {
    const auto disk = sealed(save);
    upload_bytes_ = disk.size_bytes;
    EXPECT_TRUE(is_sent(save));
    const auto layer = publish(content, disk);
    auto request = a_transfer(save);
    request.content_id = content;
    const auto kept = send(request);
    EXPECT_TRUE(kept && kept->is_complete && kept->sent_bytes == disk.size_bytes);
    return layer;
  }
};

TEST_F(Layers, AreSentOverACutConnectionAndContinuedOnAnotherHost) {
  prepare(*volumes_, layered({}));
  ASSERT_TRUE(io(layered({}), {"write -P 91 0 6M", "write -P 92 9M 64k", pattern(7 * mebibyte)}));

  config_.layer_send_bytes_per_s = 2 * mebibyte;
  restart();
  const auto disk = sealed("s1");
  EXPECT_GT(disk.size_bytes, 6 * mebibyte);
  upload_bytes_ = disk.size_bytes;
  ASSERT_TRUE(send(a_transfer("s1")));
  ASSERT_TRUE(eventually([&] { return received() > 0; }));
  stop_uploads();
  const auto kept = received();
  ASSERT_GT(kept, 0U);
  ASSERT_LT(kept, disk.size_bytes) << "it was cut off";
  ASSERT_TRUE(eventually([&] { return !send(a_transfer("s1"))->reason.empty(); }));
  config_.layer_send_bytes_per_s = 0;
  restart();  // the provisioner was killed too
  start_uploads();
  const auto counted = metrics_.bytes_received.Value();
  ASSERT_TRUE(is_sent("s1"));
  EXPECT_EQ(metrics_.bytes_received.Value() - counted, static_cast<double>(disk.size_bytes - kept))
      << "no byte twice";
  const auto layer = publish("layer-1", disk);
  EXPECT_EQ(provisioner::digest_of(folder_.file("layer-1"))->sha256, disk.sha256);

  const auto other = another_host();
  const auto there = layered({layer}, true);
  prepare(*other, there);
  const auto read =
      io(there, {"read -P 91 0 6M", "read -P 92 9M 64k", pattern(7 * mebibyte + mebibyte / 2)});
  EXPECT_TRUE(read) << read.error().detail;
}

TEST_F(Layers, OfThisHostAreNotCopiedAndEachHasOnlyWhatWasWritten) {
  prepare(*volumes_, layered({}));
  ASSERT_TRUE(io(layered({}), {"write -P 91 0 64k"}));
  const auto first = save("s1", "layer-1");
  prepare(*volumes_, layered({first}));
  const auto before = bytes_read();
  ASSERT_TRUE(io(layered({first}), {"write -P 92 1M 64k"}));
  const auto second = save("s2", "layer-2");
  prepare(*volumes_, layered({first, second}));
  EXPECT_EQ(bytes_read(), before) << "both are here";
  EXPECT_LT(second.size_bytes, mebibyte);
  EXPECT_EQ(fault_in_disk(layered({first, second}), 91, "0"), "");
  prepare(*volumes_, layered({first, second}));
  EXPECT_EQ(fault_in_disk(layered({first, second}), 92, "1M"), "");

  const auto other = another_host();
  prepare(*other, layered({first, second}, true));
  EXPECT_EQ(fault_in_disk(layered({first, second}, true), 91, "0"), "");
  prepare(*other, layered({first}, true));
  EXPECT_EQ(fault_in_disk(layered({first}, true), 91, "0"), "") << "rolled back";
  prepare(*other, layered({first}, true));
  EXPECT_EQ(read_of(layered({first}, true), mebibyte), "") << "the image again";
}

TEST_F(Layers, AStartEndsASaveThatWasNotPublished) {
  config_.layer_send_bytes_per_s = 2 * mebibyte;
  restart();
  prepare(*volumes_, layered({}));
  ASSERT_TRUE(io(layered({}), {"write -P 91 0 8M"}));
  upload_bytes_ = sealed("s1").size_bytes;
  ASSERT_TRUE(send(a_transfer("s1")));
  ASSERT_TRUE(eventually([&] { return received() > 0; }));
  prepare(*volumes_, layered({}));
  EXPECT_EQ(fault_in_disk(layered({}), 91, "0", "8M"), "");
  EXPECT_EQ(send(a_transfer("s1")).error().code, ErrorCode::not_found);
  EXPECT_LT(received(), upload_bytes_.load());
  EXPECT_GT(sealed("s2").size_bytes, 8 * mebibyte) << "nothing is lost";
}

TEST_F(Layers, FromTheStoreAreCopiedInPiecesAndChecked) {
  std::ofstream(folder_.file("layer-1"), std::ios::binary) << std::string(9 * mebibyte, 'x');
  copy_timeout_ = std::chrono::milliseconds{0};
  restart();
  const auto volume =
      layered({{.kind = msg::BaseFileKind::layer, .content_id = "layer-1", .sha256 = "wrong"}});
  EXPECT_EQ(volumes_->prepare(volume).error().detail, "its image is being copied: 4 of 9 MiB");
  EXPECT_EQ(volumes_->prepare(volume).error().detail, "its image is being copied: 8 of 9 MiB");
  EXPECT_EQ(volumes_->prepare(volume).error().detail, "the copy of its image is damaged");
  EXPECT_FALSE(fs::exists(volume.disk->path)) << "it is not started without its layer";
}

TEST_F(Layers, AreNotSentToAnotherServerOrAnUploadOfAnotherSize) {
  prepare(*volumes_, layered({}));
  const auto disk = sealed("s1");
  upload_bytes_ = disk.size_bytes + 1;
  const auto reason = [&](const msg::SendLayer& request) {
    std::string found;
    (void)eventually([&] {
      found = send(request)->reason;
      return !found.empty();
    });
    return found;
  };
  EXPECT_EQ(reason(a_transfer("s1")), "the image store expects " +
                                          std::to_string(disk.size_bytes + 1) + " bytes, not " +
                                          std::to_string(disk.size_bytes));
  auto stolen = a_transfer("s1");
  stolen.url.back() = 'b';
  EXPECT_EQ(reason(stolen), "the image store has no such upload");
  const Authority stranger;
  config_.ca_file = stranger.ca_file();
  restart();
  EXPECT_TRUE(reason(a_transfer("s1")).starts_with("the image store does not answer: SSL"));
  EXPECT_EQ(received(), 0U);
}

TEST_F(Layers, OfANodeAreChangedByOneRequestAtATime) {
  prepare(*volumes_, layered({}));
  const auto claim = volumes_->claim({"n"});
  ASSERT_TRUE(claim);
  EXPECT_FALSE(volumes_->claim({"n"}));
  EXPECT_TRUE(volumes_->claim({"m"}));
  EXPECT_EQ(volumes_->prepare(layered({})).error().code, ErrorCode::unavailable);
  EXPECT_EQ(volumes_->remove({"n"}).error().code, ErrorCode::unavailable);
}

TEST_F(Layers, AreRemovedWithTheDisk) {
  prepare(*volumes_, layered({}));
  ASSERT_TRUE(io(layered({}), {"write -P 91 0 64k"}));
  const auto first = save("s1", "layer-1");
  ASSERT_TRUE(volumes_->remove({"n"}));
  EXPECT_FALSE(fs::exists(layered({}).directory));
  EXPECT_EQ(seal("s1").error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace nucleus::tests
