// A disk with layers over a base on a network, opened by a real QEMU as an unprivileged user, under
// a real libvirtd.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "core/runtime/child_process.hpp"
#include "services/provisioner/driver/disk_files.hpp"
#include "services/provisioner/driver/disk_layers.hpp"
#include "services/provisioner/driver/disk_overlays.hpp"
#include "services/provisioner/driver/guest_files.hpp"
#include "services/provisioner/driver/libvirt_hypervisor.hpp"
#include "tests/contract/provisioner/hypervisor_world.hpp"
#include "tests/contract/provisioner/private_libvirtd.hpp"
#include "tests/support/disk_io.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::provisioner {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t chain_disk_bytes = 1 << 20;

class DiskChain : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "libvirtd needs root";
    user = find_qemu_user("libvirt-qemu").value();
    volume = {.node_id = {"n"}, .directory = folder.file("n")};
    volume.disk = {.path = top_path(volume.directory), .bytes = chain_disk_bytes};
    ASSERT_TRUE(make_volume_directory(volume.directory));
    save(1, "64k", "a");
    save(2, "128k", "b");
    ASSERT_TRUE(settle_disk(volume));
    volume.disk->base_url = "https://the.store/base/x/disk";
    volume.disk->base_format = "raw";
    serve_base();
    libvirtd.emplace(folder.path());
    hypervisor.emplace(libvirtd->uri());
    link.emplace(*hypervisor);
    ASSERT_TRUE(link->await(true));
  }

  /// Makes a layer of one block.
  void save(int byte, const std::string& at, const std::string& content) {
    ASSERT_TRUE(settle_disk(volume));
    ASSERT_TRUE(tests::disk_io(volume, {"write -P " + std::to_string(byte) + " " + at + " 64k"}));
    ASSERT_TRUE(seal_disk(volume.directory, "of-" + content, {}));
    ASSERT_TRUE(keep_as_layer(volume.directory, "of-" + content, content));
    volume.disk->layers.push_back(
        {.content_id = content, .file = {.path = layer_path(volume.directory, content)}});
  }
  void serve_base() {
    std::ofstream(folder.file("base.raw"), std::ios::binary) << std::string(chain_disk_bytes, 'B');
    base.emplace(std::vector<std::string>{"/usr/bin/nbdkit", "-f", "--readonly", "-U",
                                          base_socket(volume), "file", folder.file("base.raw")});
    ASSERT_TRUE(tests::eventually([&] { return fs::exists(base_socket(volume)); }));
    ASSERT_EQ(chown(base_socket(volume).c_str(), user.uid, user.gid), 0);
  }
  DomainSpec a_spec() const {
    DomainSpec spec{.name = "n",
                    .uuid = domain_uuid("n"),
                    .epoch = 1,
                    .cpus = 1,
                    .memory_mb = 64,
                    .runtime_dir = folder.path(),
                    .user = user};
    spec.disks = {{.path = volume.disk->path,
                   .format = "qcow2",
                   .base = {.socket = base_socket(volume), .format = "raw"}}};
    for (const auto& layer : volume.disk->layers) spec.disks[0].layers.push_back(layer.file.path);
    return spec;
  }
  /// Reads or writes a block as the guest does. QEMU's log has the outcome, once it has ended.
  void in_domain(const std::string& command) const {
    const auto device = "/machine/peripheral/virtio-disk0/virtio-backend";
    const auto done = core::must_run_child(
        {.argv = {"virsh", "-q", "-c", libvirtd->uri(), "qemu-monitor-command", "n", "--hmp",
                  std::string("qemu-io -d ") + device + " \"" + command + " 64k\""}});
    ASSERT_TRUE(done) << done.error().detail;
  }
  std::string log_of_domain() const {
    std::ifstream log(folder.file("log/qemu/n.log"));
    return {std::istreambuf_iterator<char>(log), {}};
  }

  tests::TemporaryFolder folder;
  QemuUser user;
  HostVolume volume;
  std::optional<test::ProcessTree> base;
  std::optional<test::PrivateLibvirtd> libvirtd;
  std::optional<LibvirtHypervisor> hypervisor;
  std::optional<LinkRecord> link;
};

TEST_F(DiskChain, IsReadAsOneDiskWhoseTopAloneIsWritten) {
  const auto created = hypervisor->create(a_spec());
  ASSERT_TRUE(created) << created.error().detail;
  for (const auto* command :
       {"read -P 66 0", "read -P 1 64k", "read -P 2 128k", "write -P 3 64k", "read -P 3 64k"})
    in_domain(command);
  EXPECT_FALSE(seal_disk(volume.directory, "s", user)) << "QEMU has it open";
  EXPECT_TRUE(fs::exists(volume.disk->path));

  ASSERT_TRUE(hypervisor->destroy("n"));
  ASSERT_TRUE(tests::eventually(
      [&] { return log_of_domain().find("shutting down, reason=") != std::string::npos; }));
  const auto log = log_of_domain();
  EXPECT_EQ(log.find("failed"), log.npos) << log;
  std::size_t done = 0;
  for (auto at = log.find("65536/65536 bytes"); at != log.npos;
       at = log.find("65536/65536 bytes", at + 1))
    ++done;
  EXPECT_EQ(done, 5U) << log;
  core::Result<std::string> sealed;
  ASSERT_TRUE(tests::eventually([&] {
    sealed = seal_disk(volume.directory, "s", user);
    return sealed.has_value();
  })) << sealed.error().detail;
  ASSERT_TRUE(keep_as_layer(volume.directory, "s", "c"));
  volume.disk->layers.push_back(
      {.content_id = "c", .file = {.path = layer_path(volume.directory, "c")}});
  ASSERT_TRUE(settle_disk(volume));
  EXPECT_LT(fs::file_size(layer_path(volume.directory, "c")), 512U << 10)
      << "what was read is not in it";
  EXPECT_EQ(tests::fault_in_disk(volume, 3, "64k"), "");
  EXPECT_EQ(tests::fault_in_disk(volume, 2, "128k"), "");
  EXPECT_EQ(tests::fault_in_disk(volume, 66, "0"), "");
}

/// Saves while QEMU runs, until files are merged below the top; then QEMU is killed.
TEST_F(DiskChain, IsSavedWhileItsDomainRunsAndIsOneFileAfterwards) {
  ASSERT_TRUE(hypervisor->create(a_spec()));
  std::string newest;
  for (int i = 3; i <= 10; ++i) {
    in_domain("write -P " + std::to_string(i) + " " + std::to_string(64 * i) + "k");
    const auto save_id = "s" + std::to_string(i);
    const auto sealed = seal_running_disk(
        {.directory = volume.directory, .domain = "n", .bytes = chain_disk_bytes, .user = user},
        save_id, *hypervisor, 100 + i);
    ASSERT_TRUE(sealed) << sealed.error().detail;
    EXPECT_LT(fs::file_size(*sealed), 512U << 10) << "what was read is not in it";
    const auto info = core::must_run_child({.argv = {"qemu-img", "info", "-U", *sealed}});
    ASSERT_TRUE(info);
    EXPECT_EQ(info->find("backing"), info->npos) << *info;
    newest = "c" + std::to_string(i);
    ASSERT_TRUE(keep_as_layer(volume.directory, save_id, newest));
    EXPECT_LE(hypervisor->disk_files("n")->size(), overlays_kept_max + 4);
  }
  in_domain("write -P 11 704k");
  for (int i = 3; i <= 10; ++i)
    in_domain("read -P " + std::to_string(i) + " " + std::to_string(64 * i) + "k");
  EXPECT_FALSE(gather_disk(volume.directory, user)) << "QEMU has it open";
  EXPECT_EQ(::kill(libvirtd->qemu_pid("n"), SIGKILL), 0);
  const auto planned = [&] {
    auto next = volume;
    next.disk->layers.push_back(
        {.content_id = newest, .file = {.path = layer_path(volume.directory, newest)}});
    return next;
  }();
  core::Result<void> settled;
  ASSERT_TRUE(tests::eventually([&] {
    settled = settle_disk(planned, user);
    return settled.has_value();
  })) << settled.error().detail;
  EXPECT_EQ(disk_files(volume.directory).size(), 1U);
  EXPECT_EQ(log_of_domain().find("Pattern verification failed"), std::string::npos);
  EXPECT_EQ(tests::fault_in_disk(planned, 10, "640k"), "");
  EXPECT_EQ(tests::fault_in_disk(planned, 11, "704k"), "");
}

TEST_F(DiskChain, IsNotStartedWithoutOneOfItsLayers) {
  fs::remove(layer_path(volume.directory, "a"));
  EXPECT_FALSE(hypervisor->create(a_spec()));
}

}  // namespace
}  // namespace nucleus::provisioner
