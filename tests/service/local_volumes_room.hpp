// A host with volumes of its own, and what it uses of the image store: the real servers of files
// and of uploads with TLS, which are stopped and started again.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <limits>

#include "core/digest/digest.hpp"
#include "services/image_store/driver/file_server.hpp"
#include "services/image_store/driver/upload_server.hpp"
#include "services/provisioner/driver/base_server.hpp"
#include "services/provisioner/driver/local_volumes.hpp"
#include "tests/support/authority.hpp"
#include "tests/support/disk_io.hpp"
#include "tests/support/process.hpp"

namespace nucleus::tests {

constexpr std::uint64_t mebibyte = 1 << 20;

class LocalVolumesRoom : public testing::Test {
 protected:
  LocalVolumesRoom() {
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
  ~LocalVolumesRoom() override {
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
            return done(core::refuse(core::ErrorCode::unauthenticated, "no such ticket"));
          const bool is_disk = request.kind == msg::BaseFileKind::disk;
          if (is_disk && ++disk_requests_ > answers_max_)
            return done(core::refuse(core::ErrorCode::unavailable, "away"));
          const bool is_layer = request.kind == msg::BaseFileKind::layer;
          done(folder_.file(is_layer ? request.content_id
                                     : std::string(msg::name_of(request.kind))));
        },
        upload_handler_);
    listen_ = store_->endpoint();
  }
  void stop_store() { store_.reset(); }

  /// Receives the upload of `upload_bytes_`, by the real server of uploads.
  void start_uploads() {
    received_uploads_.create().value();
    uploads_ = std::make_unique<image_store::UploadServer>(
        core::http::ServerOptions{
            .listen = {.endpoint = uploads_listen_, .certificate = authority_.certificate()}},
        upload_handler_);
    uploads_listen_ = uploads_->endpoint();
  }
  image_store::UploadTarget upload_target() const {
    return {.size_bytes = upload_bytes_,
            .expires_unix_s = 4'000'000'000,
            .is_receiving = received_uploads_.offset_of(upload_id_) < upload_bytes_};
  }
  void stop_uploads() { uploads_.reset(); }
  std::uint64_t received() const { return received_uploads_.offset_of(upload_id_); }
  msg::SendLayer a_transfer(const std::string& save) const {
    return {.node_id = {"n"},
            .save_id = save,
            .url = "https://" + uploads_listen_.text() + "/uploads/" + upload_id_,
            .ticket = "upload-secret"};
  }
  /// As another provisioner does after the first was killed.
  void restart() {
    auto options = provisioner::volume_options(config_);
    options.copy_timeout = copy_timeout_;
    volumes_ = std::make_unique<provisioner::LocalVolumes>(options);
  }

  provisioner::HostVolume a_volume(const std::string& node = "n") {
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
  static core::Result<std::string> io(const provisioner::HostVolume& volume,
                                      const std::vector<std::string>& commands) {
    return disk_io(volume, commands);
  }
  /// Reads a block of the image and compares it.
  static std::string pattern(std::uint64_t at) {
    return "read -P " + std::to_string(1 + at / 4096 % 250) + " " + std::to_string(at) + " 4k";
  }
  static std::string read_of(const provisioner::HostVolume& volume, std::uint64_t at) {
    const auto read = io(volume, {pattern(at)});
    return read ? "" : read.error().detail;
  }
  std::uint64_t bytes_read() const {
    return static_cast<std::uint64_t>(metrics_.bytes_read.Value());
  }
  void serve(const provisioner::HostVolume& volume) {
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
  const std::string upload_id_ = std::string(32, 'a');
  std::atomic<std::uint64_t> upload_bytes_ = 0;
  image_store::UploadFolder received_uploads_{folder_.file("uploads")};
  core::Endpoint uploads_listen_ = {};
  std::shared_ptr<image_store::UploadHandler> upload_handler_ =
      std::make_shared<image_store::UploadHandler>(
          image_store::UploadRules{.size_bytes_max = 1ULL << 40}, metrics_, received_uploads_,
          std::make_shared<image_store::UploadLocks>(),
          image_store::UploadCalls{
              .find =
                  [this](const image_store::UploadAccess& access, const auto& done) {
                    if (access.ticket != "upload-secret" || access.upload_id != upload_id_)
                      return done(core::refuse(core::ErrorCode::not_found, "no such upload"));
                    done(upload_target());
                  },
              .received = [this](const std::string&, std::uint64_t,
                                 const auto& done) { done(upload_target()); },
              .remove = [](const std::string&, const auto& done) { done(msg::Done{}); }});
  std::unique_ptr<image_store::UploadServer> uploads_ = {};
  provisioner::Config config_ = {};
  std::unique_ptr<provisioner::LocalVolumes> volumes_ = {};
};

}  // namespace nucleus::tests
