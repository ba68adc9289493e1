// The contract of a store driver for generations of disks; the same tests run on plain files with
// qemu-img and on the simulated store. What is in a disk is read back with qemu-io.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/digest/digest.hpp"
#include "core/runtime/child_process.hpp"
#include "services/image_store/driver/qcow2_store.hpp"
#include "services/image_store/driver/simulated_store.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::image_store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t mebibyte = 1 << 20;
constexpr std::chrono::milliseconds flatten_deadline{60'000};

struct FilesWorld {
  tests::TemporaryFolder folder = {};
  Qcow2Store store{folder.file("images"), folder.file("volumes")};
  static constexpr bool has_files = true;
};

struct MemoryWorld {
  tests::TemporaryFolder folder = {};
  SimulatedStore store = {};
  static constexpr bool has_files = false;
};

std::string digest_of(const std::string& file) {
  std::ifstream bytes(file, std::ios::binary);
  return core::sha256_hex(std::string(std::istreambuf_iterator<char>(bytes), {}));
}

/// A node `n` with a clone of an image that is full of `i`.
template <class World>
class GenerationsContract : public testing::Test {
 protected:
  GenerationsContract() {
    const auto file = world.folder.file("disk.raw");
    std::ofstream(file) << std::string(mebibyte, 'i');
    EXPECT_TRUE(world.store.stage(
        {.folder = "image",
         .format = msg::ImageFormat::raw,
         .from = {.disk = file},
         .is_upload = true,
         .limits = {.size_bytes_max = 8 * mebibyte, .virtual_bytes_max = 8 * mebibyte}}));
    image = world.store.files_of({.folder = "image", .has_disk = true}).disk;
    const auto cloned = world.store.clone({.node_id = {"n"},
                                           .image = {.disk = image},
                                           .image_format = "raw",
                                           .image_bytes = mebibyte});
    EXPECT_TRUE(cloned);
    if (cloned) disk = cloned->path;
  }
  static int io(const std::string& command, const std::string& file) {
    const auto done = core::run_child({.argv = {"qemu-io", "-f", "qcow2", "-c", command, file}});
    if (!done || done->output.find("verification failed") != std::string::npos) return 1;
    return done->end == core::exited(0) ? 0 : 1;
  }
  /// Fills the disk's first half with a letter, as a guest would.
  void write(char letter) {
    if (!World::has_files) return;
    ASSERT_EQ(io("write -P " + std::to_string(int{letter}) + " 0 512k", disk), 0);
  }
  /// The first half has the letter, the second half is the image's.
  bool has(char letter, const std::string& file) const {
    if (!World::has_files) return true;
    return io("read -P " + std::to_string(int{letter}) + " 0 512k", file) == 0 &&
           io("read -P " + std::to_string(int{'i'}) + " 512k 512k", file) == 0;
  }
  bool has(char letter) const { return has(letter, disk); }
  core::Result<std::uint64_t> seal(const std::string& layer) {
    return world.store.seal({.node_id = {"n"}, .folder = layer, .disk_bytes = mebibyte});
  }
  core::Result<void> roll_back(const std::string& layer) {
    return world.store.roll_back({.node_id = {"n"},
                                  .folder = layer,
                                  .image = image,
                                  .image_format = "raw",
                                  .disk_bytes = mebibyte});
  }
  core::Result<std::uint64_t> flatten(const std::string& layer,
                                      std::uint64_t size_bytes_max = 8 * mebibyte) {
    return world.store.flatten({.folder = layer,
                                .to = world.folder.file("flat"),
                                .size_bytes_max = size_bytes_max,
                                .deadline = flatten_deadline});
  }
  core::Result<FileDigest> merge(const std::string& layer, const std::string& parent,
                                 const std::string& sent = {}) {
    return world.store.merge({.folder = layer,
                              .parent_folder = parent,
                              .image = image,
                              .image_format = "raw",
                              .sent_folder = sent,
                              .disk_bytes = mebibyte,
                              .deadline = flatten_deadline});
  }
  World world = {};
  std::string image = {};
  std::string disk = {};
};

using GenerationWorlds = testing::Types<FilesWorld, MemoryWorld>;
TYPED_TEST_SUITE(GenerationsContract, GenerationWorlds);

TYPED_TEST(GenerationsContract, SealsADiskAndRollsBackToEachGenerationAndToTheImage) {
  this->write('a');
  const auto first = this->seal("g1");
  ASSERT_TRUE(first) << first.error().detail;
  EXPECT_EQ(*first > 0, TypeParam::has_files);
  EXPECT_TRUE(this->has('a')) << "the new disk continues what was sealed";
  this->write('b');
  ASSERT_TRUE(this->seal("g2"));
  this->write('c');
  EXPECT_TRUE(this->has('c'));
  ASSERT_TRUE(this->roll_back("g1"));
  EXPECT_TRUE(this->has('a'));
  this->write('d');
  ASSERT_TRUE(this->roll_back("g2"));
  EXPECT_TRUE(this->has('b'));
  ASSERT_TRUE(this->roll_back(""));
  EXPECT_TRUE(this->has('i'));
}

TYPED_TEST(GenerationsContract, DoesARepeatedStepOnce) {
  this->write('a');
  const auto first = this->seal("g1");
  ASSERT_TRUE(first);
  const auto again = this->seal("g1");
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ(*again, *first);
  EXPECT_TRUE(this->has('a'));
  ASSERT_TRUE(this->roll_back("g1"));
  ASSERT_TRUE(this->roll_back("g1"));
  EXPECT_TRUE(this->has('a'));
}

TYPED_TEST(GenerationsContract, RemovesALayerAndSucceedsIfThereIsNone) {
  ASSERT_TRUE(this->seal("g1"));
  ASSERT_TRUE(this->roll_back(""));
  EXPECT_TRUE(this->world.store.remove_image("g1"));
  EXPECT_TRUE(this->world.store.remove_image("g1"));
  EXPECT_TRUE(this->has('i'));
}

TYPED_TEST(GenerationsContract, MergesLayersIntoTheNextOneAsOftenAsItIsAsked) {
  this->write('a');
  ASSERT_TRUE(this->seal("g1"));
  this->write('b');
  ASSERT_TRUE(this->seal("g2"));
  for (int times = 0; times < 2; ++times) {
    const auto merged = this->merge("g2", "");
    ASSERT_TRUE(merged) << merged.error().detail;
    EXPECT_EQ(merged->size_bytes > 0, TypeParam::has_files);
    EXPECT_TRUE(this->has('b'));
  }
  ASSERT_TRUE(this->world.store.remove_image("g1"));
  EXPECT_TRUE(this->has('b')) << "the disk goes on";
  ASSERT_TRUE(this->roll_back("g2"));
  EXPECT_TRUE(this->has('b'));
}

using FileGenerations = GenerationsContract<FilesWorld>;

TEST_F(FileGenerations, TakeOverWhatLiesBetweenThemAndTheirNewParent) {
  ASSERT_EQ(io("write -P 97 0 512k", disk), 0);
  ASSERT_TRUE(seal("g1"));
  ASSERT_EQ(io("write -P 98 64k 64k", disk), 0);
  ASSERT_TRUE(seal("g2"));
  ASSERT_EQ(io("write -P 99 128k 64k", disk), 0);
  ASSERT_TRUE(seal("g3"));
  ASSERT_EQ(io("write -P 100 192k 64k", disk), 0);
  ASSERT_TRUE(seal("g4"));
  // A process that was killed has left half of it.
  std::ofstream(world.folder.file("volumes/g4.layer.new")) << "half of a file";
  ASSERT_TRUE(merge("g4", "g1"));
  for (const auto* gone : {"g2", "g3"}) ASSERT_TRUE(world.store.remove_image(gone));
  for (const auto* part :
       {"97 0 64k", "98 64k 64k", "99 128k 64k", "100 192k 64k", "97 256k 256k", "105 512k 512k"})
    EXPECT_EQ(io(std::string("read -P ") + part, disk), 0) << part;
  ASSERT_TRUE(roll_back("g1"));
  EXPECT_TRUE(has('a'));
}

TEST_F(FileGenerations, ThatHostsReadAreMergedIntoAFileThatNamesNoOther) {
  write('a');
  ASSERT_TRUE(seal("g1"));
  ASSERT_EQ(io("write -P 98 0 64k", disk), 0);
  ASSERT_TRUE(seal("g2"));
  for (int times = 0; times < 2; ++times) {
    const auto merged = merge("g2", "", "s1");
    ASSERT_TRUE(merged) << merged.error().detail;
    const auto sent = world.folder.file("images/s1/disk");
    EXPECT_EQ(merged->size_bytes, fs::file_size(sent));
    EXPECT_EQ(merged->sha256, digest_of(sent));
    EXPECT_EQ(io("read -P 98 0 64k", sent), 0);
    EXPECT_EQ(io("read -P 97 64k 448k", sent), 0);
    EXPECT_EQ(io("read -P 0 512k 512k", sent), 0) << "the image's part is not in it";
    const auto info = core::must_run_child({.argv = {"qemu-img", "info", sent}});
    ASSERT_TRUE(info);
    EXPECT_EQ(info->find("backing"), std::string::npos);
  }
}

TEST_F(FileGenerations, ThatCannotBeMergedStayAsTheyAre) {
  write('a');
  ASSERT_TRUE(seal("g1"));
  write('b');
  ASSERT_TRUE(seal("g2"));
  const auto refused = merge("g2", "g9");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "the generations cannot be merged") << "it names no file";
  EXPECT_TRUE(has('b'));
  EXPECT_FALSE(fs::exists(world.folder.file("volumes/g2.layer.new")));
}

TEST_F(FileGenerations, AreSealedByAProcessThatWasKilledAtAnyStep) {
  write('a');
  ASSERT_TRUE(seal("g1"));
  const std::string layer = world.folder.file("volumes/g1.layer");
  const std::string next = disk + ".next";
  // Killed before the disk was put in place.
  fs::rename(disk, next);
  ASSERT_TRUE(seal("g1"));
  EXPECT_TRUE(has('a'));
  EXPECT_FALSE(fs::exists(next));
  // Killed before the disk became the layer.
  fs::rename(disk, next);
  fs::rename(layer, disk);
  ASSERT_TRUE(seal("g1"));
  EXPECT_TRUE(has('a'));
  EXPECT_TRUE(has('a', layer));
  EXPECT_FALSE(fs::exists(next));
  // Killed while qemu-img wrote the new disk.
  write('b');
  std::ofstream(next) << "half of a file";
  ASSERT_TRUE(seal("g2"));
  EXPECT_TRUE(has('b'));
  std::ofstream(next) << "half of a file";
  ASSERT_TRUE(roll_back("g1"));
  EXPECT_TRUE(has('a'));
}

TEST_F(FileGenerations, LeaveTheDiskAsItIsWhenTheyCannotBeMade) {
  write('a');
  fs::create_directories(disk + ".next/full");
  const auto refused = seal("g1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "the disk cannot be changed") << "it names no file";
  EXPECT_FALSE(roll_back(""));
  EXPECT_TRUE(has('a'));
  EXPECT_FALSE(fs::exists(world.folder.file("volumes/g1.layer")));
}

TEST_F(FileGenerations, GoWithTheirNode) {
  write('a');
  ASSERT_TRUE(seal("g1"));
  std::ofstream(disk + ".next") << "left";
  ASSERT_TRUE(world.store.remove_volume({"n"}));
  ASSERT_TRUE(world.store.remove_image("g1"));
  EXPECT_TRUE(fs::is_empty(world.folder.file("volumes")));
}

TEST_F(FileGenerations, BecomeOneFileThatNamesNoOther) {
  write('a');
  ASSERT_TRUE(seal("g1"));
  write('b');
  ASSERT_TRUE(seal("g2"));
  std::ofstream(world.folder.file("flat")) << "half of a file that a killed process left";
  const auto size = flatten("g2");
  ASSERT_TRUE(size) << size.error().detail;
  EXPECT_EQ(*size, fs::file_size(world.folder.file("flat")));
  ASSERT_TRUE(flatten("g2"));
  for (const auto* part : {"volumes", "images"}) fs::remove_all(world.folder.file(part));
  EXPECT_TRUE(has('b', world.folder.file("flat"))) << "all other files are gone";
}

TEST_F(FileGenerations, ContinueALayerThatAHostHasSent) {
  write('a');
  ASSERT_TRUE(seal("g1"));
  // As it travels: it has what was written since, and names no other file.
  const auto sent = world.folder.file("sent");
  ASSERT_TRUE(
      core::must_run_child({.argv = {"qemu-img", "create", "-q", "-f", "qcow2", sent, "1M"}}));
  ASSERT_EQ(io("write -P 122 0 64k", sent), 0);  // a whole cluster
  ASSERT_TRUE(world.store.stage(
      {.folder = "g2",
       .format = msg::ImageFormat::qcow2,
       .from = {.disk = sent},
       .is_upload = true,
       .limits = {.size_bytes_max = 8 * mebibyte, .virtual_bytes_max = 8 * mebibyte}}));
  for (int times = 0; times < 2; ++times) {
    const auto adopted = world.store.adopt({.folder = "g2", .parent_folder = "g1"});
    ASSERT_TRUE(adopted) << adopted.error().detail;
  }
  ASSERT_TRUE(roll_back("g2"));
  EXPECT_EQ(io("read -P 122 0 64k", disk), 0);
  EXPECT_EQ(io("read -P 97 64k 448k", disk), 0) << "of g1";
  ASSERT_TRUE(flatten("g2"));
  EXPECT_EQ(io("read -P 105 512k 512k", world.folder.file("flat")), 0) << "of the image";
  const auto info =
      core::must_run_child({.argv = {"qemu-img", "info", world.folder.file("images/g2/disk")}});
  ASSERT_TRUE(info);
  EXPECT_EQ(info->find("backing"), std::string::npos) << "hosts read it as it was sent";
  ASSERT_TRUE(world.store.remove_image("g2"));
  EXPECT_FALSE(fs::exists(world.folder.file("volumes/g2.layer")));
}

TEST_F(FileGenerations, AreNotFlattenedBeyondALimitOrWithoutTheirFiles) {
  write('a');
  ASSERT_TRUE(seal("g1"));
  const auto too_large = flatten("g1", 512 << 10);
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, core::ErrorCode::invalid_argument);
  const auto missing = flatten("g9");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().detail, "the disk cannot be read or the image written");
  EXPECT_FALSE(fs::exists(world.folder.file("flat")));
}

}  // namespace
}  // namespace nucleus::image_store
