// The contract of a store driver; the same tests run on plain files with qemu-img and on the
// simulated store.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "services/image_store/driver/qcow2_store.hpp"
#include "services/image_store/driver/simulated_store.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::image_store {
namespace {

struct Qcow2World {
  tests::TemporaryFolder folder = {};
  Qcow2Store store{folder.file("images"), folder.file("volumes")};
  static constexpr bool has_files = true;
};

struct SimulatedWorld {
  tests::TemporaryFolder folder = {};
  SimulatedStore store = {};
  static constexpr bool has_files = false;
};

constexpr FileLimits limits{.size_bytes_max = 8 << 20, .virtual_bytes_max = 1ULL << 40};

StoredImage raw_image(const std::string& folder) {
  return {.folder = folder, .has_disk = true};
}

template <class World>
class StoreContract : public testing::Test {
 protected:
  std::string a_disk() {
    const std::string path = world.folder.file("disk.raw");
    std::ofstream(path) << std::string(1 << 20, 'x');
    return path;
  }
  core::Result<StagedFiles> stage(const std::string& folder) {
    return world.store.stage({.folder = folder,
                              .format = msg::ImageFormat::raw,
                              .from = {.disk = a_disk()},
                              .is_upload = true,
                              .limits = limits});
  }
  /// Checks that a volume has a file exactly if the store has files; returns the volume.
  core::Result<msg::Volume> clone(const CloneRequest& request) {
    auto volume = world.store.clone(request);
    EXPECT_EQ(volume && std::filesystem::exists(volume->path), World::has_files);
    return volume;
  }
  World world = {};
};

using Worlds = testing::Types<Qcow2World, SimulatedWorld>;
TYPED_TEST_SUITE(StoreContract, Worlds);

TYPED_TEST(StoreContract, ClonesAVolumeFromAnImageOnce) {
  auto& store = this->world.store;
  const auto checked = this->stage("x");
  ASSERT_TRUE(checked) << checked.error().detail;
  EXPECT_EQ(checked->disk.size_bytes, 1U << 20);
  EXPECT_EQ(checked->disk.virtual_bytes, 1U << 20);
  const CloneRequest request{.node_id = {"n1"},
                             .disk_gb = 1,
                             .image = store.files_of(raw_image("x")),
                             .image_format = "raw",
                             .image_bytes = 1 << 20};
  const auto first = this->clone(request);
  ASSERT_TRUE(first) << first.error().detail;
  const auto again = this->clone(request);
  ASSERT_TRUE(again);
  EXPECT_EQ(first->path, again->path);
  EXPECT_EQ(first->node_id.value, "n1");
  EXPECT_EQ(first->format, TypeParam::has_files ? "qcow2" : "");
}

TYPED_TEST(StoreContract, MakesAnEmptyVolumeWithoutAnImage) {
  ASSERT_TRUE(this->clone({.node_id = {"n1"}, .disk_gb = 1}));
}

TYPED_TEST(StoreContract, RemovesAVolumeAndSucceedsIfThereIsNone) {
  const auto volume = this->clone({.node_id = {"n1"}, .disk_gb = 1});
  ASSERT_TRUE(volume);
  EXPECT_TRUE(this->world.store.remove_volume({"n1"}));
  EXPECT_FALSE(std::filesystem::exists(volume->path));
  EXPECT_TRUE(this->world.store.remove_volume({"n1"}));
}

TYPED_TEST(StoreContract, RemovesAnImageAndSucceedsIfThereIsNone) {
  ASSERT_TRUE(this->stage("x"));
  const auto disk = this->world.store.files_of(raw_image("x")).disk;
  EXPECT_EQ(std::filesystem::exists(disk), TypeParam::has_files);
  EXPECT_TRUE(this->world.store.remove_image("x"));
  EXPECT_FALSE(std::filesystem::exists(disk));
  EXPECT_TRUE(this->world.store.remove_image("x"));
}

TYPED_TEST(StoreContract, RefusesAnUploadThatFailsAnyCheck) {
  const auto refused_field = [this](StageRequest request) {
    request.folder = "x";
    request.from.disk = this->a_disk();
    request.is_upload = true;
    const auto staged = this->world.store.stage(request);
    return staged ? std::string() : staged.error().field;
  };
  using enum msg::ImageFormat;
  EXPECT_EQ(refused_field({.format = qcow2, .limits = limits}), "format");
  EXPECT_EQ(refused_field({.format = raw, .md5 = std::string(32, '0'), .limits = limits}), "md5");
  EXPECT_EQ(refused_field({.format = raw, .sha256 = "0", .limits = limits}), "sha256");
  EXPECT_EQ(refused_field({.format = raw, .limits = {.size_bytes_max = 1 << 19}}), "size");
  EXPECT_EQ(refused_field({.format = raw, .limits = limits}), "");
}

TEST(Qcow2Store, LeavesNothingOfAnImageThatCannotBeCopied) {
  Qcow2World world;
  for (const auto& wrong : {world.folder.file("nothing"), world.folder.path()}) {
    const auto refused = world.store.stage({.folder = "x",
                                            .format = msg::ImageFormat::raw,
                                            .from = {.disk = wrong},
                                            .limits = limits});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, core::ErrorCode::not_found);
    EXPECT_TRUE(std::filesystem::is_empty(world.folder.file("images")));
  }
}

TEST(Qcow2Store, KeepsACopyThatAnOpenUploadCannotChange) {
  Qcow2World world;
  const std::string source = world.folder.file("disk.raw");
  std::ofstream writer(source, std::ios::binary);
  writer << std::string(512, 'x') << std::flush;
  ASSERT_TRUE(world.store.stage({.folder = "x",
                                 .format = msg::ImageFormat::raw,
                                 .from = {.disk = source},
                                 .limits = limits}));
  writer.seekp(0);
  writer << std::string(512, 'y') << std::flush;
  std::ifstream copy(world.store.files_of(raw_image("x")).disk, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(copy), {}), std::string(512, 'x'));
}

TEST(Qcow2Store, LinksAFileThatIsFinalAndKeepsItWhenTheUploadIsGone) {
  Qcow2World world;
  const std::string source = world.folder.file("disk.raw");
  std::ofstream(source, std::ios::binary) << std::string(512, 'x');
  const auto staged = world.store.stage({.folder = "x",
                                         .format = msg::ImageFormat::raw,
                                         .from = {.disk = source},
                                         .is_upload = true,
                                         .is_final = true,
                                         .limits = limits});
  ASSERT_TRUE(staged) << staged.error().detail;
  EXPECT_EQ(staged->disk.md5, "9147bc1f0f20e8ae1932e616b51240fb");
  const auto disk = world.store.files_of(raw_image("x")).disk;
  EXPECT_TRUE(std::filesystem::equivalent(disk, source));
  std::filesystem::remove(source);
  std::ifstream kept(disk, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(kept), {}), std::string(512, 'x'));
}

TEST(Qcow2Store, RefusesALinkInPlaceOfAFileThatIsFinal) {
  Qcow2World world;
  const std::string source = world.folder.file("disk.raw");
  std::filesystem::create_symlink("/etc/hostname", source);
  const auto refused = world.store.stage({.folder = "x",
                                          .format = msg::ImageFormat::raw,
                                          .from = {.disk = source},
                                          .is_final = true,
                                          .limits = limits});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::not_found);
}

TEST(Qcow2Store, RemovesWhatAnEarlierProcessDidNotFinish) {
  Qcow2World world;
  std::filesystem::create_directories(world.folder.file("images") + "/x.new");
  std::filesystem::create_directories(world.folder.file("images") + "/y");
  ASSERT_TRUE(world.store.remove_unfinished());
  EXPECT_FALSE(std::filesystem::exists(world.folder.file("images") + "/x.new"));
  EXPECT_TRUE(std::filesystem::exists(world.folder.file("images") + "/y"));
}

TEST(Qcow2Store, MakesNoDiskForAnImageThatIsOnlyAKernel) {
  Qcow2World world;
  const auto volume = world.store.clone(
      {.node_id = {"n1"}, .disk_gb = 1, .image = {.kernel = "/k", .initramfs = "/i"}});
  ASSERT_TRUE(volume);
  EXPECT_TRUE(volume->path.empty());
  EXPECT_EQ(volume->kernel, "/k");
}

}  // namespace
}  // namespace nucleus::image_store
