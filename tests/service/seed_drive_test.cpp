// The seed drive as a guest reads it, made by the real tools.
#include "services/provisioner/driver/seed_drive.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/runtime/child_process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::provisioner {
namespace {

class SeedDrive : public ::testing::Test {
 protected:
  void write(const SeedFiles& files) {
    const auto written = write_seed_drive(path_, files);
    ASSERT_TRUE(written) << written.error().detail;
  }
  std::string said(const std::string& name) const {
    const auto text = core::must_run_child({.argv = {"mcopy", "-n", "-i", path_, "::" + name, "-"},
                                            .deadline = std::chrono::milliseconds{10'000}});
    return text ? *text : "no " + name + ": " + text.error().detail;
  }
  ino_t inode() const {
    struct stat entry {};
    return stat(path_.c_str(), &entry) == 0 ? entry.st_ino : 0;
  }

  tests::TemporaryFolder folder_ = {};
  std::string path_ = folder_.file("n-1.img");
  SeedFiles files_{.meta_data = "local-hostname: vm-a-00\n", .hosts = "10.0.0.2 vm-a-00\n"};
};

TEST_F(SeedDrive, ContainsWhatItWasMadeFrom) {
  write(files_);
  EXPECT_EQ(said("meta-data"), files_.meta_data);
  EXPECT_EQ(said("hosts"), files_.hosts);
  EXPECT_EQ(said("ports"), "");
}

TEST_F(SeedDrive, IsKeptIfItsContentIsTheSameAndMadeAgainOtherwise) {
  write(files_);
  const auto first = inode();
  ASSERT_NE(first, 0);
  write(files_);
  EXPECT_EQ(inode(), first);
  files_.hosts += "10.0.0.3 vm-a-01\n";
  write(files_);
  EXPECT_EQ(said("hosts"), files_.hosts);
}

TEST_F(SeedDrive, IsRemovedWhenItIsTheLeastRecentlyUsed) {
  for (const char* name : {"n-1.img", "n-2.img", "n-3.img"})
    ASSERT_TRUE(write_seed_drive(folder_.file(name), files_));
  ASSERT_TRUE(write_seed_drive(folder_.file("n-1.img"), files_));
  prune_seed_drives(folder_.path(), 2);
  EXPECT_EQ(said("hosts"), files_.hosts);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("n-2.img")));
  EXPECT_FALSE(std::filesystem::exists(folder_.file("n-2.img.d")));
  EXPECT_TRUE(std::filesystem::exists(folder_.file("n-3.img")));
  prune_seed_drives(folder_.file("none"), 0);  // there is nothing to remove
}

TEST_F(SeedDrive, IsMadeAgainAfterAnInterruptionAtAnyStep) {
  const std::string made_from = path_ + ".d";
  write(files_);
  std::filesystem::remove(path_);  // the drive itself is gone
  write(files_);
  EXPECT_EQ(said("hosts"), files_.hosts);
  std::filesystem::remove_all(made_from);  // between both renames
  files_.hosts = "10.0.0.9 vm-b-00\n";
  write(files_);
  EXPECT_EQ(said("hosts"), files_.hosts);
  EXPECT_TRUE(std::filesystem::exists(made_from));
}

}  // namespace
}  // namespace nucleus::provisioner
