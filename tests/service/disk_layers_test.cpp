// The files of a disk with layers, with real qcow2 files: whichever step of a change is the last
// before the provisioner is killed, the next request finds all that the guest wrote.
#include "services/provisioner/driver/disk_layers.hpp"

#include "services/provisioner/driver/file_digest.hpp"
#include "tests/service/disk_layers_room.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;
using core::ErrorCode;

class DiskLayers : public DiskLayersRoom {};

TEST_F(DiskLayers, NameNoOtherFileAndAreReadAsOneDisk) {
  make_disk();
  ASSERT_TRUE(seal("second"));
  publish("second", "b");
  settle(volume({"a", "b"}));
  write(volume({"a", "b"}), 3, "128k");
  EXPECT_EQ(fault_in_disk(volume({"a", "b"}), 1, "0"), "");
  EXPECT_EQ(fault_in_disk(volume({"a", "b"}), 2, "64k"), "");
  EXPECT_EQ(fault_in_disk(volume({"a", "b"}), 3, "128k"), "");
  for (const auto* file : {"disk.qcow2", "layers/a.qcow2", "layers/b.qcow2"}) {
    const auto info =
        core::must_run_child({.argv = {"qemu-img", "info", directory() + "/" + file}});
    ASSERT_TRUE(info);
    EXPECT_EQ(info->find("backing"), info->npos) << *info;
  }
}

TEST_F(DiskLayers, SealADiskOfAnEarlierReleaseWhichNamesItsBase) {
  const auto planned = volume();
  ASSERT_TRUE(core::must_run_child(
      {.argv = {"qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b",
                "nbd+unix:///?socket=" + provisioner::base_socket(planned), "-F", "raw",
                planned.disk->path, std::to_string(layered_disk_bytes)}}));
  write(planned, 7, "0");
  const auto sealed = seal("s");
  ASSERT_TRUE(sealed) << sealed.error().detail;
  const auto info = core::must_run_child({.argv = {"qemu-img", "info", *sealed}});
  ASSERT_TRUE(info);
  EXPECT_EQ(info->find("backing"), info->npos) << *info;
  settle(planned);
  EXPECT_EQ(fault_in_disk(planned, 7, "0"), "");
}

TEST_F(DiskLayers, AreSealedOnceAndOnlyIfThereIsSomethingToSave) {
  EXPECT_EQ(seal("s").error().code, ErrorCode::not_found) << "no disk exists";
  make_disk();
  const auto sealed = seal("s");
  ASSERT_TRUE(sealed);
  EXPECT_EQ(seal("s"), *sealed) << "again";
  EXPECT_FALSE(fs::exists(provisioner::top_path(directory())));
  const auto digest = provisioner::digest_of(*sealed);
  publish("s", "b");
  publish("s", "b");
  EXPECT_EQ(seal("s"), *sealed) << "after it was published";
  EXPECT_EQ(seal("t").error().code, ErrorCode::not_found) << "nothing was written since";
  EXPECT_EQ(provisioner::digest_of(provisioner::layer_path(directory(), "b"))->sha256,
            digest->sha256);
  settle(volume({"a", "b"}));
  EXPECT_TRUE(seal("t"));
  EXPECT_EQ(provisioner::keep_as_layer(directory(), "s", "c").error().code, ErrorCode::not_found);
}

TEST_F(DiskLayers, ASealedDiskThatWasNotPublishedIsWrittenAgainOrSavedByAnother) {
  make_disk();
  ASSERT_TRUE(seal("s"));
  settle(volume({"a"}));
  EXPECT_EQ(fault_in_disk(volume({"a"}), 2, "64k"), "") << "its save was given up";
  write(volume({"a"}), 4, "192k");
  EXPECT_EQ(provisioner::find_sealed(directory(), "s").error().code, ErrorCode::not_found);
  ASSERT_TRUE(seal("s"));
  const auto next = seal("t");
  ASSERT_TRUE(next) << "of a save that was given up";
  publish("t", "b");
  settle(volume({"a", "b"}));
  for (const auto& [byte, at] : {std::pair{1, "0"}, {2, "64k"}, {4, "192k"}})
    EXPECT_EQ(fault_in_disk(volume({"a", "b"}), byte, at), "");
}

TEST_F(DiskLayers, GiveUpADiskThatContinuesAnotherLayer) {
  make_disk();
  settle(volume({"a"}));
  EXPECT_EQ(fault_in_disk(volume({"a"}), 2, "64k"), "") << "the same layer: the disk stays";
  settle(volume());
  EXPECT_EQ(fault_in_disk(volume(), 0, "0", "4M"), "") << "rolled back to the base";
  EXPECT_TRUE(fs::is_empty(provisioner::layers_directory(directory())));
}

TEST_F(DiskLayers, GiveUpASealedDiskThatWasRolledBack) {
  make_disk();
  ASSERT_TRUE(seal("s"));
  publish("s", "b");
  settle(volume({"a"}));
  EXPECT_EQ(fault_in_disk(volume({"a"}), 1, "0"), "");
  EXPECT_EQ(fault_in_disk(volume({"a"}), 0, "64k"), "") << "the image store has it";
  EXPECT_FALSE(fs::exists(provisioner::layer_path(directory(), "b")));
}

TEST_F(DiskLayers, KeepTheSealedDiskIfTheAnswerThatItIsPublishedWasLost) {
  make_disk();
  const auto sealed = seal("s");
  ASSERT_TRUE(sealed);
  const auto digest = provisioner::digest_of(*sealed);
  ASSERT_TRUE(digest);
  auto planned = volume({"a", "b"});
  planned.disk->layers[1].file.size_bytes = digest->size_bytes;
  planned.disk->layers[1].file.sha256 = digest->sha256;
  ASSERT_TRUE(provisioner::find_layer_here(planned));
  settle(planned);
  EXPECT_EQ(fault_in_disk(planned, 2, "64k"), "");
}

TEST_F(DiskLayers, LoseNothingWhicheverStepOfASealIsTheLast) {
  const auto work = [&] { (void)seal("s"); };
  kill_at_each_step([&] { make_disk(); }, work,
                    [&] {
                      ASSERT_TRUE(seal("s"));
                      publish("s", "b");
                      settle(volume({"a", "b"}));
                      ASSERT_EQ(fault_in_disk(volume({"a", "b"}), 2, "64k"), "");
                    });
  kill_at_each_step([&] { make_disk(); }, work,
                    [&] {
                      settle(volume({"a"}));
                      ASSERT_EQ(fault_in_disk(volume({"a"}), 2, "64k"), "") << "started instead";
                    });
  kill_at_each_step([&] { make_disk(); }, work,
                    [&] {
                      ASSERT_TRUE(seal("t")) << "another save instead";
                      publish("t", "b");
                      settle(volume({"a", "b"}));
                      ASSERT_EQ(fault_in_disk(volume({"a", "b"}), 2, "64k"), "");
                    });
}

TEST_F(DiskLayers, LoseNothingWhicheverStepOfAPublicationIsTheLast) {
  const auto prepare = [&] {
    make_disk();
    ASSERT_TRUE(seal("s"));
    fs::copy_file(provisioner::sealed_path(directory(), "s"), folder_.file("store"),
                  fs::copy_options::overwrite_existing);
  };
  const auto work = [&] { (void)provisioner::keep_as_layer(directory(), "s", "b"); };
  kill_at_each_step(prepare, work, [&] {
    publish("s", "b");
    settle(volume({"a", "b"}));
    ASSERT_EQ(fault_in_disk(volume({"a", "b"}), 2, "64k"), "");
  });
  kill_at_each_step(prepare, work, [&] {
    const auto layer = provisioner::layer_path(directory(), "b");
    if (!fs::exists(layer)) fs::copy_file(folder_.file("store"), layer);
    settle(volume({"a", "b"}));
    ASSERT_EQ(fault_in_disk(volume({"a", "b"}), 2, "64k"), "") << "copied from the image store";
  });
}

TEST_F(DiskLayers, LoseNothingWhicheverStepOfAStartIsTheLast) {
  const auto give_up = [&] {  // a save
    make_disk();
    ASSERT_TRUE(seal("s"));
  };
  const auto start = [&] { (void)provisioner::settle_disk(volume({"a"})); };
  kill_at_each_step(give_up, start, [&] {
    settle(volume({"a"}));
    ASSERT_EQ(fault_in_disk(volume({"a"}), 2, "64k"), "");
  });
  kill_at_each_step(give_up, start, [&] {
    ASSERT_TRUE(seal("t"));
    publish("t", "b");
    settle(volume({"a", "b"}));
    ASSERT_EQ(fault_in_disk(volume({"a", "b"}), 2, "64k"), "") << "saved instead";
  });
  kill_at_each_step(
      [&] {
        give_up();
        publish("s", "b");
      },
      [&] {
        (void)provisioner::settle_disk(volume({"a", "b"}));
      },
      [&] {
        settle(volume({"a", "b"}));
        ASSERT_EQ(fault_in_disk(volume({"a", "b"}), 2, "64k"), "");
        write(volume({"a", "b"}), 5, "64k");
        settle(volume({"a", "b"}));
        ASSERT_EQ(fault_in_disk(volume({"a", "b"}), 5, "64k"), "") << "the new top stays";
      });
}

TEST_F(DiskLayers, BringNothingBackWhicheverStepOfARollBackIsTheLast) {
  kill_at_each_step([&] { make_disk(); }, [&] { (void)provisioner::settle_disk(volume()); },
                    [&] {
                      settle(volume());
                      ASSERT_EQ(fault_in_disk(volume(), 0, "0", "4M"), "");
                    });
}

}  // namespace
}  // namespace nucleus::tests
