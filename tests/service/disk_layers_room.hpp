// The directory of a volume with real qcow2 files, and work on it that is killed before each of its
// steps.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "services/provisioner/driver/disk_layers.hpp"
#include "tests/support/disk_io.hpp"
#include "tests/support/killed.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::tests {

namespace fs = std::filesystem;
using provisioner::HostVolume;

constexpr int steps_max = 200;
constexpr std::uint64_t layered_disk_bytes = 4 << 20;

class DiskLayersRoom : public testing::Test {
 protected:
  DiskLayersRoom() { fs::create_directories(directory()); }

  std::string directory() const { return folder_.file("n"); }
  HostVolume volume(const std::vector<std::string>& layers = {}) const {
    HostVolume planned{.node_id = {"n"}, .directory = directory(), .ticket = "t"};
    planned.disk = {.path = provisioner::top_path(directory()), .bytes = layered_disk_bytes};
    for (const auto& layer : layers)
      planned.disk->layers.push_back(
          {.content_id = layer, .file = {.path = provisioner::layer_path(directory(), layer)}});
    return planned;
  }
  static void write(const HostVolume& volume, int byte, const std::string& at) {
    const auto done = disk_io(volume, {"write -P " + std::to_string(byte) + " " + at + " 64k"});
    ASSERT_TRUE(done) << done.error().detail;
  }
  core::Result<std::string> seal(const std::string& save) const {
    return provisioner::seal_disk(directory(), save, {});
  }
  void publish(const std::string& save, const std::string& content) const {
    const auto kept = provisioner::keep_as_layer(directory(), save, content);
    ASSERT_TRUE(kept) << kept.error().detail;
  }
  static void settle(const HostVolume& volume) {
    const auto done = provisioner::settle_disk(volume);
    ASSERT_TRUE(done) << done.error().detail;
  }
  /// A disk with one published layer, `a`, and one block written over it.
  void make_disk() const {
    settle(volume());
    write(volume(), 1, "0");
    ASSERT_TRUE(seal("first"));
    publish("first", "a");
    settle(volume({"a"}));
    write(volume({"a"}), 2, "64k");
  }
  /// Calls `check` after `work` was killed before each of its steps, each time with a new disk that
  /// `prepare` made.
  void kill_at_each_step(const std::function<void()>& prepare, const std::function<void()>& work,
                         const std::function<void()>& check) const {
    const auto kept = folder_.file("kept");
    fs::remove_all(directory());
    fs::remove_all(kept);
    fs::create_directories(directory());
    prepare();
    fs::rename(directory(), kept);
    int step = 1;
    for (bool is_killed = true; is_killed && step < steps_max; ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      fs::remove_all(directory());
      core::must_run_child({.argv = {"cp", "-a", kept, directory()}}).value();  // keeps links
      is_killed = run_and_kill(step, work);
      check();
      if (HasFatalFailure()) return;
    }
    EXPECT_GT(step, 3);
    EXPECT_LT(step, steps_max);
  }

  TemporaryFolder folder_ = {};
};

}  // namespace nucleus::tests
