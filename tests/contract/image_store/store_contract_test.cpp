// What every store driver promises, held against plain files with qemu-img and against the
// simulated one by the same tests.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "services/image_store/driver/qcow2_store.hpp"
#include "services/image_store/driver/simulated_store.hpp"
#include "tests/support/redis_fixture.hpp"

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

template <class World>
class StoreContract : public testing::Test {
 protected:
  std::string a_disk() {
    const std::string path = world.folder.file("disk.raw");
    std::ofstream(path) << std::string(1 << 20, 'x');
    return path;
  }
  bool has_volume(const std::string& node) {
    const auto volumes = world.store.list_volumes();
    return volumes && std::ranges::find(*volumes, msg::NodeId{node}) != volumes->end();
  }
  World world = {};
};

using Worlds = testing::Types<Qcow2World, SimulatedWorld>;
TYPED_TEST_SUITE(StoreContract, Worlds);

TYPED_TEST(StoreContract, ClonesAVolumeFromAnImageOnce) {
  auto& store = this->world.store;
  ASSERT_TRUE(store.publish({"public/x"}, {.disk = this->a_disk()}));
  const CloneRequest request{.node_id = {"n1"},
                             .disk_gb = 1,
                             .image = store.files_of({"public/x"}),
                             .image_format = "raw",
                             .image_bytes = 1 << 20};
  const auto first = store.clone(request);
  ASSERT_TRUE(first) << first.error().detail;
  const auto again = store.clone(request);
  ASSERT_TRUE(again);
  EXPECT_EQ(first->path, again->path);
  EXPECT_EQ(first->node_id.value, "n1");
  EXPECT_TRUE(this->has_volume("n1"));
  if (TypeParam::has_files) {
    EXPECT_EQ(first->format, "qcow2");
    EXPECT_TRUE(std::filesystem::exists(first->path));
  }
}

TYPED_TEST(StoreContract, MakesAnEmptyVolumeWithoutAnImage) {
  ASSERT_TRUE(this->world.store.clone({.node_id = {"n1"}, .disk_gb = 1}));
  EXPECT_TRUE(this->has_volume("n1"));
}

TYPED_TEST(StoreContract, RemovesAVolumeAndOneThatIsNotThere) {
  ASSERT_TRUE(this->world.store.clone({.node_id = {"n1"}, .disk_gb = 1}));
  EXPECT_TRUE(this->world.store.remove_volume({"n1"}));
  EXPECT_FALSE(this->has_volume("n1"));
  EXPECT_TRUE(this->world.store.remove_volume({"n1"}));
}

TYPED_TEST(StoreContract, RemovesAnImageAndOneThatIsNotThere) {
  ASSERT_TRUE(this->world.store.publish({"public/x"}, {.disk = this->a_disk()}));
  EXPECT_TRUE(this->world.store.remove_image({"public/x"}));
  EXPECT_TRUE(this->world.store.files_of({"public/x"}).disk.empty());
  EXPECT_TRUE(this->world.store.remove_image({"public/x"}));
}

TEST(Qcow2Store, LeavesNothingOfAnImageThatCannotBeCopied) {
  Qcow2World world;
  const auto refused = world.store.publish({"public/x"}, {.disk = world.folder.file("nothing")});
  ASSERT_FALSE(refused);
  EXPECT_FALSE(std::filesystem::exists(world.folder.file("images") + "/public/x"));
  EXPECT_FALSE(std::filesystem::exists(world.folder.file("images") + "/public/x.new"));
}

TEST(Qcow2Store, GivesNoDiskToAnImageThatIsAKernelAlone) {
  Qcow2World world;
  const auto volume = world.store.clone(
      {.node_id = {"n1"}, .disk_gb = 1, .image = {.kernel = "/k", .initramfs = "/i"}});
  ASSERT_TRUE(volume);
  EXPECT_TRUE(volume->path.empty());
  EXPECT_EQ(volume->kernel, "/k");
}

}  // namespace
}  // namespace nucleus::image_store
