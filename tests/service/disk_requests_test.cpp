// A provisioner's disks by requests over the bus: the disk of a node is sealed by a rename
// when it is off, and by an overlay while its domain runs.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "services/provisioner/driver/file_digest.hpp"
#include "tests/service/provisioner_room.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;

class DiskRequests : public ProvisionerRoom {
 protected:
  void start_with_volumes() {
    config_.state_directory = folder_.file("state");
    volumes_ = std::make_shared<provisioner::LocalVolumes>(provisioner::volume_options(config_));
    start();
  }
  core::Result<msg::SealedDisk> seal(const std::string& node, const std::string& save = "s") {
    return call(msg::SealDisk{.host_id = {"h1"}, .node_id = {node}, .save_id = save});
  }
  template <class Request>
  core::Result<typename Request::Reply> call(const Request& request) {
    return caller_.call(request, {.to = "provisioner/h1", .deadline = wait_timeout});
  }
  /// The reply, once the domains are known.
  core::Result<msg::SealedDisk> known_seal(const std::string& node) {
    auto reply = seal(node);
    (void)eventually([&] {
      reply = seal(node);
      return reply || reply.error().code != ErrorCode::unavailable;
    });
    return reply;
  }
  static msg::Grant a_grant_with_ticket(const std::string& node, std::uint64_t epoch, bool is_on) {
    auto grant = a_grant(node, epoch, is_on);
    grant.volume = {.node_id = {node}, .ticket = "t"};
    return grant;
  }
  void make_top(const std::string& node) {
    const auto directory = folder_.file("state/volumes/" + node);
    fs::create_directories(directory);
    ASSERT_TRUE(core::must_run_child({.argv = {"qemu-img", "create", "-q", "-f", "qcow2",
                                               provisioner::top_path(directory), "1M"}}));
  }
};

TEST_F(DiskRequests, SealTheDiskOfANodeThatIsOffAlone) {
  start_with_volumes();
  ASSERT_TRUE(apply({a_grant_with_ticket("n", 1, true)}));
  ASSERT_TRUE(reported("n", DomainState::running));
  make_top("n");
  EXPECT_EQ(known_seal("n").error().code, ErrorCode::wrong_state);
  EXPECT_TRUE(fs::exists(folder_.file("state/volumes/n/disk.qcow2")));

  ASSERT_TRUE(apply({a_grant_with_ticket("n", 1, false)}));
  ASSERT_TRUE(is_off("n"));
  core::Result<msg::SealedDisk> sealed;
  ASSERT_TRUE(eventually([&] {
    sealed = seal("n");
    return sealed && sealed->is_sealed;
  })) << sealed.error().detail;
  const auto path = folder_.file("state/volumes/n/layers/s.sealed");
  EXPECT_EQ(sealed->size_bytes, fs::file_size(path));
  EXPECT_EQ(sealed->sha256, provisioner::digest_of(path)->sha256);

  msg::SendLayer published{.host_id = {"h1"}, .node_id = {"n"}, .save_id = "s", .content_id = "c"};
  EXPECT_TRUE(call(published)->is_complete);
  EXPECT_TRUE(fs::exists(folder_.file("state/volumes/n/layers/c.qcow2")));
  published.save_id = "another";
  published.content_id = "d";
  EXPECT_EQ(call(published).error().code, ErrorCode::not_found);
}

TEST_F(DiskRequests, SealTheDiskOfANodeThatRunsAndGoesOn) {
  make_top("n");
  const auto top = folder_.file("state/volumes/n/disk.qcow2");
  ASSERT_TRUE(hypervisor_->create({.name = domain("n"),
                                   .uuid = provisioner::domain_uuid(domain("n")),
                                   .epoch = 1,
                                   .memory_mb = 128,
                                   .disks = {{.path = top, .format = "qcow2"}},
                                   .runtime_dir = "/nowhere"}));
  start_with_volumes();
  auto grant = a_grant_with_ticket("n", 1, true);
  grant.volume.disk_bytes = 1 << 20;
  ASSERT_TRUE(apply({grant}));
  ASSERT_TRUE(reported("n", DomainState::running));
  core::Result<msg::SealedDisk> sealed;
  ASSERT_TRUE(eventually([&] {
    sealed = seal("n");
    return sealed && sealed->is_sealed;
  })) << sealed.error().detail;
  EXPECT_GT(sealed->sealed_unix_s, 0);
  EXPECT_EQ(sealed->sha256, provisioner::digest_of(top)->sha256);
  EXPECT_EQ(hypervisor_->disk_files(domain("n"))->size(), 2U);
  const auto told =
      call(msg::SendLayer{.host_id = {"h1"}, .node_id = {"n"}, .save_id = "s", .content_id = "c"});
  ASSERT_TRUE(told) << told.error().detail;
  EXPECT_TRUE(told->is_continued);
  EXPECT_TRUE(runs("n"));
}

TEST_F(DiskRequests, AreRefusedForAnUnknownDiskOrHostOrName) {
  start_with_volumes();
  EXPECT_EQ(known_seal("n").error().code, ErrorCode::not_found);
  EXPECT_EQ(seal("../n").error().field, "node_id");
  EXPECT_EQ(seal("n", "../s").error().field, "save_id");
  EXPECT_EQ(call(msg::SealDisk{.host_id = {"h2"}, .node_id = {"n"}, .save_id = "s"}).error().field,
            "host_id");
  const msg::SendLayer sound{.host_id = {"h1"},
                             .node_id = {"n"},
                             .save_id = "s",
                             .url = "https://127.0.0.1:1/uploads/a",
                             .ticket = "t"};
  EXPECT_EQ(call(sound).error().code, ErrorCode::not_found);
  const auto field = [&](const std::function<void(msg::SendLayer&)>& change) {
    auto request = sound;
    change(request);
    return call(request).error().field;
  };
  EXPECT_EQ(field([](auto& request) { request.url = "http://127.0.0.1:1/a"; }), "url");
  EXPECT_EQ(field([](auto& request) { request.url = "https://a b"; }), "url");
  EXPECT_EQ(field([](auto& request) { request.url += std::string(512, 'a'); }), "url");
  EXPECT_EQ(field([](auto& request) { request.ticket = "t\r\nX: y"; }), "ticket");
  EXPECT_EQ(field([](auto& request) { request.ticket = ""; }), "ticket");
  EXPECT_EQ(field([](auto& request) { request.content_id = "../c"; }), "content_id");
}

TEST_F(DiskRequests, FindNothingOnAHostThatKeepsNoDisks) {
  start();
  EXPECT_EQ(known_seal("n").error().code, ErrorCode::not_found);
  EXPECT_EQ(
      call(msg::SendLayer{.host_id = {"h1"}, .node_id = {"n"}, .save_id = "s", .content_id = "c"})
          .error()
          .code,
      ErrorCode::not_found);
}

}  // namespace
}  // namespace nucleus::tests
