// Generations of disks in the image store on a real bus and Redis: work is done once, reported, and
// goes on after a restart; a generation becomes an image.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/runtime/child_process.hpp"
#include "tests/service/image_store_room.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;
using core::ErrorCode;
using msg::DiskWorkKind;

class DiskGenerations : public ImageStore {
 protected:
  /// Node `n1` has a disk that is a clone of an image of `i`.
  void start_with_disk() {
    start(false);
    ASSERT_TRUE(upload("p/disk", msg::ImageFormat::raw, std::string(1 << 20, 'i')));
    auto node = a_node("n1", "p/disk");
    node.disk_gb = 0;
    ASSERT_TRUE(registry_.emit(msg::NodeDefined{node}));
    const auto placed = volume_of("n1", true);
    ASSERT_TRUE(placed);
    disk_ = placed->volume.path;
  }
  core::Result<msg::Done> work(const std::string& work_id, DiskWorkKind kind,
                               std::uint64_t generation = 0, const std::string& name = {}) {
    return ask(msg::WorkOnDisk{.node_id = {"n1"},
                               .work_id = work_id,
                               .kind = kind,
                               .generation = generation,
                               .name = name});
  }
  std::optional<msg::VolumePlaced> ended(const std::string& work_id) {
    return events_.next<msg::VolumePlaced>(
        [&](const msg::VolumePlaced& placed) { return placed.disk.ended_work_id == work_id; });
  }
  std::optional<msg::ImageUpload> upload_of(const std::string& upload_id) {
    const auto found =
        ask(msg::ListUploads{.viewer = {.is_operator = true}, .upload_id = upload_id});
    if (!found || found->uploads.empty()) return std::nullopt;
    return found->uploads.front();
  }
  core::Result<msg::UploadTicket> save_image(const std::string& image, std::uint64_t generation,
                                             const std::string& project = "p") {
    return ask(msg::SaveImage{.viewer = {.projects = {{project}}},
                              .node_id = {"n1"},
                              .generation = generation,
                              .image_id = {image}});
  }
  static bool io(const std::string& command, const std::string& file) {
    const auto done = core::run_child({.argv = {"qemu-io", "-f", "qcow2", "-c", command, file}});
    return done && done->end == core::exited(0) &&
           done->output.find("verification failed") == std::string::npos;
  }
  void write(char letter) {
    ASSERT_TRUE(io("write -P " + std::to_string(int{letter}) + " 0 64k", disk_));
  }
  bool has(char letter) const {
    return io("read -P " + std::to_string(int{letter}) + " 0 64k", disk_);
  }
  std::string disk_ = {};
};

TEST_F(DiskGenerations, AreSavedAndRolledBackOnceForEachWork) {
  start_with_disk();
  write('a');
  ASSERT_TRUE(work("w1", DiskWorkKind::save, 0, "clean"));
  ASSERT_TRUE(work("w1", DiskWorkKind::save, 0, "clean"));
  const auto saved = ended("w1");
  ASSERT_TRUE(saved);
  EXPECT_EQ(saved->disk.reason, "");
  ASSERT_EQ(saved->disk.generations.size(), 1U);
  EXPECT_EQ(saved->disk.generations[0].name, "clean");
  EXPECT_GT(saved->disk.generations[0].size_bytes, 0U);
  EXPECT_EQ(saved->volume.path, disk_);
  write('b');
  ASSERT_TRUE(work("w2", DiskWorkKind::roll_back, 1));
  ASSERT_TRUE(ended("w2"));
  EXPECT_TRUE(has('a'));
  ASSERT_TRUE(work("w2", DiskWorkKind::roll_back, 1)) << "repeated after its end";
  ASSERT_TRUE(work("w3", DiskWorkKind::roll_back, 0));
  ASSERT_TRUE(ended("w3"));
  EXPECT_TRUE(has('i'));
  ASSERT_TRUE(work("w4", DiskWorkKind::remove, 1));
  const auto removed = ended("w4");
  ASSERT_TRUE(removed);
  EXPECT_TRUE(removed->disk.generations.empty());
  EXPECT_TRUE(eventually([&] {
    return std::ranges::none_of(
        fs::directory_iterator(folder_.file("volumes")),
        [](const auto& entry) { return entry.path().extension() == ".layer"; });
  }));
}

TEST_F(DiskGenerations, AreThereAfterARestart) {
  start_with_disk();
  write('a');
  ASSERT_TRUE(work("w1", DiskWorkKind::save));
  ASSERT_TRUE(ended("w1"));
  restart();
  write('b');
  ASSERT_TRUE(work("w2", DiskWorkKind::roll_back, 1));
  const auto rolled_back = ended("w2");
  ASSERT_TRUE(rolled_back);
  EXPECT_EQ(rolled_back->disk.generation, 1U);
  EXPECT_TRUE(has('a'));
}

TEST_F(DiskGenerations, ThatCannotBeMadeSayWhyAndLeaveTheDisk) {
  start_with_disk();
  write('a');
  fs::create_directories(disk_ + ".next/full");
  ASSERT_TRUE(work("w1", DiskWorkKind::save));
  const auto failed = ended("w1");
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->disk.reason, "the disk cannot be changed");
  EXPECT_TRUE(failed->disk.generations.empty());
  EXPECT_TRUE(has('a'));
  EXPECT_EQ(work("w2", DiskWorkKind::roll_back, 5).error().code, ErrorCode::not_found);
  EXPECT_EQ(ask(msg::WorkOnDisk{.node_id = {"n9"}, .work_id = "w", .kind = DiskWorkKind::save})
                .error()
                .code,
            ErrorCode::not_found);
}

TEST_F(DiskGenerations, BecomeImagesOfTheirOwn) {
  start_with_disk();
  write('a');
  ASSERT_TRUE(work("w1", DiskWorkKind::save));
  ASSERT_TRUE(ended("w1"));
  write('b');
  EXPECT_EQ(save_image("p/saved", 2).error().code, ErrorCode::not_found);
  EXPECT_EQ(save_image("p/saved", 1, "q").error().code, ErrorCode::not_found);
  EXPECT_EQ(save_image("p/disk", 1).error().field, "image_id");
  const auto begun = save_image("p/saved", 1);
  ASSERT_TRUE(begun) << begun.error().detail;
  EXPECT_EQ(begun->ticket, "");
  ASSERT_TRUE(eventually([&] { return is_listed("p/saved"); }));
  const auto upload = upload_of(begun->upload_id);
  ASSERT_TRUE(upload);
  EXPECT_EQ(upload->state, msg::UploadState::published);
  EXPECT_EQ(upload->node_id.value, "n1");
  EXPECT_EQ(upload->generation, 1U);
  EXPECT_EQ(save_image("p/saved", 1).error().field, "image_id");
  // The node and its image go; the new image stays, and a node has what was saved.
  ASSERT_TRUE(registry_.emit(msg::NodeRemoved{a_node("n1", "p/disk")}));
  ASSERT_TRUE(eventually([&] { return !fs::exists(disk_); }));
  ASSERT_TRUE(ask(msg::RemoveImage{.image_id = {"p/disk"}}));
  auto node = a_node("n2", "p/saved");
  node.disk_gb = 0;
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{node}));
  const auto placed = volume_of("n2", true);
  ASSERT_TRUE(placed);
  disk_ = placed->volume.path;
  EXPECT_TRUE(has('a'));
}

TEST_F(DiskGenerations, ThatAreRemovedLeaveWhatTheySavedToTheNextOne) {
  start_with_disk();
  for (const char letter : {'a', 'b', 'c'}) {
    write(letter);
    ASSERT_TRUE(work(std::string("w-") + letter, DiskWorkKind::save));
    ASSERT_TRUE(ended(std::string("w-") + letter));
  }
  ASSERT_TRUE(ask(msg::WorkOnDisk{.node_id = {"n1"},
                                  .work_id = "w1",
                                  .kind = DiskWorkKind::remove,
                                  .generation = 2,
                                  .first_generation = 1}));
  const auto merged = ended("w1");
  ASSERT_TRUE(merged);
  EXPECT_EQ(merged->disk.reason, "");
  ASSERT_EQ(merged->disk.generations.size(), 1U);
  EXPECT_EQ(merged->disk.generations[0].number, 3U);
  EXPECT_EQ(merged->disk.generations[0].parent, 0U);
  EXPECT_TRUE(eventually([&] {
    return std::ranges::count_if(
               fs::directory_iterator(folder_.file("volumes")),
               [](const auto& entry) { return entry.path().extension() == ".layer"; }) == 1;
  }));
  EXPECT_TRUE(has('c'));
  restart();
  ASSERT_TRUE(work("w2", DiskWorkKind::roll_back, 3));
  ASSERT_TRUE(ended("w2"));
  EXPECT_TRUE(has('c'));
}

TEST_F(DiskGenerations, AreNotRemovedWhileAnImageIsToBeMadeOfThem) {
  start_with_disk();
  write('a');
  ASSERT_TRUE(work("w1", DiskWorkKind::save));
  ASSERT_TRUE(ended("w1"));
  ASSERT_TRUE(work("w2", DiskWorkKind::roll_back, 0));
  ASSERT_TRUE(ended("w2"));
  const auto begun = save_image("p/saved", 1);
  ASSERT_TRUE(begun) << begun.error().detail;
  const auto removed = work("w3", DiskWorkKind::remove, 1);
  // The image may be there already.
  if (!removed) {
    EXPECT_EQ(removed.error().detail, "image p/saved is being made of generation 1");
  }
  EXPECT_TRUE(eventually([&] { return is_listed("p/saved"); }));
  EXPECT_TRUE(work("w4", DiskWorkKind::remove, 1) || removed);
}

TEST_F(DiskGenerations, OfARemovedNodeAreDeleted) {
  start_with_disk();
  ASSERT_TRUE(work("w1", DiskWorkKind::save));
  ASSERT_TRUE(ended("w1"));
  ASSERT_TRUE(registry_.emit(msg::NodeRemoved{a_node("n1", "p/disk")}));
  EXPECT_TRUE(eventually([&] { return fs::is_empty(folder_.file("volumes")); }));
}

}  // namespace
}  // namespace nucleus::tests
