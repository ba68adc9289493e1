// A disk that is saved while its domain runs, with real qcow2 files: whatever is killed at
// whichever step, QEMU and the next request find all that the guest wrote. What QEMU has open is
// known by the fake hypervisor; what it writes is written with qemu-io.
#include "services/provisioner/driver/disk_overlays.hpp"

#include "services/provisioner/driver/disk_files.hpp"
#include "services/provisioner/driver/file_digest.hpp"
#include "tests/service/disk_layers_room.hpp"
#include "tests/support/fake_hypervisor.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using provisioner::FakeHypervisor;

class DiskOverlays : public DiskLayersRoom {
 protected:
  /// A disk over layer `a`, with a block written over that, and its domain.
  void run() {
    make_disk();
    start({"a"});
  }
  void start(const std::vector<std::string>& layers) {
    hypervisor_.emplace();
    provisioner::DomainSpec spec{.name = "n",
                                 .uuid = provisioner::domain_uuid("n"),
                                 .epoch = 1,
                                 .memory_mb = 16,
                                 .runtime_dir = "/nowhere"};
    spec.accel = provisioner::Accel::tcg;
    spec.disks = {{.path = provisioner::top_path(directory()), .format = "qcow2"}};
    for (const auto& layer : layers)
      spec.disks[0].layers.push_back(provisioner::layer_path(directory(), layer));
    ASSERT_TRUE(hypervisor_->create(spec));
  }
  core::Result<std::string> seal_running(const std::string& save, std::int64_t now_unix_s = 100) {
    return provisioner::seal_running_disk(
        {.directory = directory(), .domain = "n", .bytes = layered_disk_bytes}, save, *hypervisor_,
        now_unix_s);
  }
  /// The disk as the running domain has it.
  HostVolume in_domain() {
    auto files = hypervisor_->disk_files("n").value();
    HostVolume running = volume();
    running.disk->path = files.front();
    for (auto file = files.rbegin(); file + 1 != files.rend(); ++file)
      running.disk->layers.push_back({.content_id = "any", .file = {.path = *file}});
    return running;
  }
  void write_in_domain(int byte, const std::string& at) { write(in_domain(), byte, at); }
  std::string top() { return fs::path(hypervisor_->disk_files("n")->front()).filename(); }
  /// Each block has its byte: 1 at 0, 2 at 64k and so on.
  static std::string fault_in_blocks(const HostVolume& volume, int count) {
    for (int i = 0; i < count; ++i)
      if (auto fault = fault_in_disk(volume, i + 1, std::to_string(i * 64) + "k"); !fault.empty())
        return "block " + std::to_string(i + 1) + ": " + fault;
    return {};
  }
  void expect_one_file() const {
    const auto files = provisioner::disk_files(directory());
    ASSERT_EQ(files.size(), 1U);
    EXPECT_EQ(files[0].path, provisioner::top_path(directory()));
  }

  std::optional<FakeHypervisor> hypervisor_ = {};
};

TEST_F(DiskOverlays, SealWhatTheDomainWroteAndLetItGoOn) {
  run();
  const auto sealed = seal_running("s");
  ASSERT_TRUE(sealed) << sealed.error().detail;
  EXPECT_EQ(top(), "disk.100.qcow2");
  EXPECT_TRUE(fs::exists(provisioner::top_path(directory()))) << "QEMU has it open by this path";
  EXPECT_EQ(provisioner::sealed_unix_s(directory(), "s"), 100);
  const auto digest = provisioner::digest_of(*sealed)->sha256;
  write_in_domain(3, "128k");
  EXPECT_EQ(fault_in_blocks(in_domain(), 3), "");
  EXPECT_EQ(provisioner::digest_of(*sealed)->sha256, digest) << "it does not change any more";
  EXPECT_EQ(seal_running("s", 200), *sealed) << "again";
  publish("s", "b");
  EXPECT_TRUE(provisioner::has_unpublished_file(directory()));

  ASSERT_TRUE(seal_running("t", 50)) << "a clock that was set back";
  EXPECT_EQ(top(), "disk.101.qcow2");
  EXPECT_FALSE(fs::exists(provisioner::sealed_path(directory(), "s")));
  write_in_domain(4, "192k");
  publish("t", "c");
  settle(volume({"a", "b", "c"}));
  expect_one_file();
  EXPECT_EQ(fault_in_blocks(volume({"a", "b", "c"}), 4), "");
  EXPECT_EQ(fault_in_disk({volume({"a", "b", "c"})}, 0, "256k"), "");
}

TEST_F(DiskOverlays, SendWhatWasWrittenSinceTheLastSaveAlone) {
  make_disk();
  ASSERT_TRUE(disk_io(volume({"a"}), {"write -P 9 1M 2M"}));
  start({"a"});
  const auto first = seal_running("s");
  ASSERT_TRUE(first);
  EXPECT_GT(fs::file_size(*first), 2U << 20);
  publish("s", "b");
  write_in_domain(3, "128k");
  const auto second = seal_running("t");
  ASSERT_TRUE(second);
  EXPECT_LT(fs::file_size(*second), 1U << 20);
  EXPECT_EQ(fault_in_blocks(in_domain(), 3), "");
}

TEST_F(DiskOverlays, TakeOverASealedFileThatWasNotPublished) {
  run();
  const auto first = seal_running("s");
  ASSERT_TRUE(first);
  const auto digest = provisioner::digest_of(*first)->sha256;
  write_in_domain(3, "128k");
  const auto second = seal_running("t", 200);
  ASSERT_TRUE(second) << second.error().detail;
  EXPECT_EQ(top(), "disk.100.qcow2") << "no other overlay";
  EXPECT_EQ(provisioner::digest_of(*second)->sha256, digest);
  EXPECT_EQ(provisioner::sealed_unix_s(directory(), "t"), 100) << "it has nothing later";
  EXPECT_EQ(provisioner::find_sealed(directory(), "s").error().code, ErrorCode::not_found);
}

TEST_F(DiskOverlays, BecomeOneFileAgainBeforeTheNextStart) {
  run();
  ASSERT_TRUE(seal_running("s"));
  ASSERT_TRUE(disk_io(in_domain(), {"write -P 3 128k 64k", "write -z 64k 64k"}));
  settle(volume({"a"}));
  expect_one_file();
  EXPECT_TRUE(provisioner::sealed_files(directory()).empty()) << "the save is void";
  EXPECT_EQ(fault_in_disk(volume({"a"}), 1, "0"), "");
  EXPECT_EQ(fault_in_disk(volume({"a"}), 0, "64k"), "") << "the guest wrote zeros over it";
  EXPECT_EQ(fault_in_disk(volume({"a"}), 3, "128k"), "");
}

TEST_F(DiskOverlays, AreSealedByAnotherSaveTogetherWithWhatWasWrittenSince) {
  run();
  ASSERT_TRUE(seal_running("s"));
  write_in_domain(3, "128k");
  EXPECT_EQ(seal("s"), provisioner::sealed_path(directory(), "s"))
      << "the same save goes on when the node is off";
  ASSERT_TRUE(seal("t"));
  EXPECT_FALSE(provisioner::has_unpublished_file(directory()));
  publish("t", "b");
  settle(volume({"a", "b"}));
  EXPECT_EQ(fault_in_blocks(volume({"a", "b"}), 3), "");
}

TEST_F(DiskOverlays, AreKeptIfTheAnswerThatOneIsPublishedWasLost) {
  run();
  const auto sealed = seal_running("s");
  ASSERT_TRUE(sealed);
  const auto digest = provisioner::digest_of(*sealed);
  write_in_domain(3, "128k");
  auto planned = volume({"a", "b"});
  planned.disk->layers[1].file.size_bytes = digest->size_bytes;
  planned.disk->layers[1].file.sha256 = digest->sha256;
  ASSERT_TRUE(provisioner::find_layer_here(planned));
  settle(planned);
  EXPECT_EQ(fault_in_blocks(planned, 3), "");
}

TEST_F(DiskOverlays, AreDiscardedWithADiskThatWasRolledBack) {
  run();
  ASSERT_TRUE(seal_running("s"));
  publish("s", "b");
  write_in_domain(3, "128k");
  settle(volume({"a"}));
  expect_one_file();
  EXPECT_EQ(fault_in_disk(volume({"a"}), 1, "0"), "");
  EXPECT_EQ(fault_in_disk(volume({"a"}), 0, "64k", "128k"), "");
}

TEST_F(DiskOverlays, AreNotMadeForADiskThatTheDomainDoesNotWrite) {
  EXPECT_EQ(provisioner::seal_running_disk({.directory = directory(), .domain = "n"}, "s",
                                           hypervisor_.emplace(), 1)
                .error()
                .code,
            ErrorCode::not_found);
  run();
  ASSERT_TRUE(hypervisor_->add_overlay("n", "/elsewhere/disk.qcow2"));
  const auto refused = seal_running("s");
  EXPECT_EQ(refused.error().code, ErrorCode::wrong_state);
  ASSERT_TRUE(hypervisor_->destroy("n"));
  EXPECT_EQ(seal_running("s").error().code, ErrorCode::unavailable) << "ask again";
  EXPECT_EQ(provisioner::disk_files(directory()).size(), 1U);
}

TEST_F(DiskOverlays, GoOnAfterASnapshotThatFailed) {
  run();
  hypervisor_->fail_next({.code = ErrorCode::internal, .detail = "no"});
  EXPECT_FALSE(seal_running("s"));
  write_in_domain(3, "128k");
  ASSERT_TRUE(seal_running("s", 200));
  EXPECT_EQ(top(), "disk.200.qcow2");
  EXPECT_EQ(fault_in_blocks(in_domain(), 3), "");
  EXPECT_EQ(provisioner::disk_files(directory()).size(), 2U);
}

TEST_F(DiskOverlays, MergeWhatIsPublishedOnceThereIsMuch) {
  run();
  std::vector<std::string> layers{"a"};
  for (int i = 3; i <= 9; ++i) {
    const auto save = "s" + std::to_string(i);
    const auto content = "c" + std::to_string(i);
    ASSERT_TRUE(seal_running(save, i * 100));
    write_in_domain(i, std::to_string((i - 1) * 64) + "k");
    publish(save, content);
    layers.push_back(content);
    EXPECT_LE(hypervisor_->disk_files("n")->size(), provisioner::overlays_kept_max + 3);
  }
  EXPECT_FALSE(fs::exists(provisioner::layer_path(directory(), "c3"))) << "it was written to";
  EXPECT_TRUE(fs::exists(provisioner::layer_path(directory(), "c4")));
  EXPECT_TRUE(fs::exists(provisioner::top_path(directory())));
  EXPECT_FALSE(fs::exists(provisioner::overlay_path(directory(), 400)));
  settle(volume({layers.back()}));
  expect_one_file();
  EXPECT_EQ(provisioner::continued_by_disk(directory()), layers.back());
  EXPECT_EQ(fault_in_disk(volume({layers.back()}), 9, "512k"), "");
}

/// The provisioner is killed while it seals, before or after QEMU has taken the overlay.
class KilledSeal : public DiskOverlays, public testing::WithParamInterface<bool> {
 protected:
  void seal_and_kill(const std::function<void()>& check) {
    kill_at_each_step([&] { run(); },
                      [&] {
                        start({"a"});
                        (void)seal_running("s");
                      },
                      [&] {
                        start({"a"});
                        const auto overlay = provisioner::overlay_path(directory(), 100);
                        const bool is_sealed =
                            fs::exists(provisioner::sealed_path(directory(), "s"));
                        if (fs::exists(overlay) && (is_sealed || GetParam())) {
                          ASSERT_TRUE(hypervisor_->add_overlay("n", overlay));
                        }
                        write_in_domain(3, "128k");
                        check();
                      });
  }
};

INSTANTIATE_TEST_SUITE_P(Qemu, KilledSeal, testing::Bool(), [](const auto& instance) {
  return instance.param ? "HasTakenTheOverlay" : "HasNot";
});

TEST_P(KilledSeal, LosesNothingIfTheDomainRunsOn) {
  seal_and_kill([&] {
    ASSERT_TRUE(seal_running("s", 200));
    write_in_domain(4, "192k");
    ASSERT_EQ(fault_in_blocks(in_domain(), 4), "");
    publish("s", "b");
    settle(volume({"a", "b"}));
    ASSERT_EQ(fault_in_blocks(volume({"a", "b"}), 4), "");
  });
}

TEST_P(KilledSeal, LosesNothingIfTheDomainIsKilledAndStartsAgain) {
  seal_and_kill([&] {
    settle(volume({"a"}));
    ASSERT_EQ(fault_in_blocks(volume({"a"}), 3), "");
    expect_one_file();
  });
}

TEST_P(KilledSeal, LosesNothingIfTheNodeIsSavedWhenItIsOff) {
  seal_and_kill([&] {
    ASSERT_TRUE(seal("t"));
    publish("t", "b");
    settle(volume({"a", "b"}));
    ASSERT_EQ(fault_in_blocks(volume({"a", "b"}), 3), "");
  });
}

TEST_F(DiskOverlays, LoseNothingWhicheverStepOfAStartIsTheLast) {
  const auto seal_once = [&] {
    run();
    ASSERT_TRUE(seal_running("s"));
    write_in_domain(3, "128k");
  };
  const auto check = [&](const std::vector<std::string>& layers, int blocks) {
    return [this, layers, blocks] {
      settle(volume(layers));
      ASSERT_EQ(fault_in_blocks(volume(layers), blocks), "");
      expect_one_file();
    };
  };
  kill_at_each_step(
      seal_once, [&] { (void)provisioner::settle_disk(volume({"a"})); }, check({"a"}, 3));
  kill_at_each_step(
      [&] {
        seal_once();
        publish("s", "b");
      },
      [&] {
        (void)provisioner::settle_disk(volume({"a", "b"}));
      },
      check({"a", "b"}, 3));
  kill_at_each_step(
      [&] {
        seal_once();
        publish("s", "b");
        ASSERT_TRUE(seal_running("t", 200));
        write_in_domain(4, "192k");
      },
      [&] {
        (void)provisioner::settle_disk(volume({"a", "b"}));
      },
      check({"a", "b"}, 4));
  kill_at_each_step(
      [&] {
        seal_once();
        publish("s", "b");
        ASSERT_TRUE(seal_running("t", 200));
        publish("t", "c");
        write_in_domain(4, "192k");
      },
      [&] {
        (void)provisioner::settle_disk(volume({"a", "b", "c"}));
      },
      check({"a", "b", "c"}, 4));
}

TEST_F(DiskOverlays, LoseNothingIfFilesWereMergedInPart) {
  run();
  ASSERT_TRUE(seal_running("s"));
  write_in_domain(3, "128k");
  write_in_domain(4, "192k");
  // qemu-img was killed when it had copied one of the two blocks.
  ASSERT_TRUE(disk_io(volume({"a"}), {"write -P 4 192k 64k"}));
  EXPECT_EQ(fault_in_blocks(in_domain(), 4), "");
  settle(volume({"a"}));
  EXPECT_EQ(fault_in_blocks(volume({"a"}), 4), "");
}

}  // namespace
}  // namespace nucleus::tests
