// Checks of qcow2 images by qemu-img, which runs confined: real images pass, damaged ones are
// refused within their limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "core/runtime/child_process.hpp"
#include "services/image_store/driver/qemu_check.hpp"
#include "tests/service/image_store_room.hpp"
#include "tests/support/images.hpp"

namespace nucleus::tests {
namespace {

constexpr int damaged_images = 40;
constexpr std::chrono::milliseconds verdict_deadline{60'000};  // only bounds a failure

class ImageChecks : public ImageStore {
 protected:
  /// A qcow2 image of 8 MiB with data in it.
  std::string a_real_image(const std::vector<std::string>& options = {}) {
    const auto raw = folder_.file("raw");
    std::string bytes(8 << 20, '\0');
    for (std::size_t at = 0; at < bytes.size(); at += 100'000) bytes[at] = 'x';
    std::ofstream(raw, std::ios::binary) << bytes;
    const auto path = folder_.file("real.qcow2");
    core::ChildCommand made{.argv = {"qemu-img", "convert", "-f", "raw", "-O", "qcow2"}};
    made.argv.insert(made.argv.end(), options.begin(), options.end());
    made.argv.insert(made.argv.end(), {raw, path});
    EXPECT_TRUE(core::must_run_child(made));
    std::ostringstream content;
    content << std::ifstream(path, std::ios::binary).rdbuf();
    return content.str();
  }
  core::Result<void> check(const std::string& bytes) {
    const auto path = folder_.file("damaged.qcow2");
    std::ofstream(path, std::ios::binary) << bytes;
    return image_store::check_by_qemu_img(path, verdict_deadline);
  }
};

TEST_F(ImageChecks, PublishesRealImages) {
  start(false);
  const auto plain = upload("p/plain", msg::ImageFormat::qcow2, a_real_image());
  ASSERT_TRUE(plain) << plain.error().detail;
  EXPECT_EQ(plain->virtual_bytes, 8U << 20);
  const auto zstd = upload("p/zstd", msg::ImageFormat::qcow2,
                           a_real_image({"-c", "-o", "compression_type=zstd"}));
  EXPECT_TRUE(zstd) << zstd.error().detail;
  const auto old = upload("p/old", msg::ImageFormat::qcow2, a_real_image({"-o", "compat=0.10"}));
  EXPECT_TRUE(old) << old.error().detail;
}

TEST_F(ImageChecks, RefusesAnImageWhoseTablesAreCorrupt) {
  start(false);
  auto image = a_real_image();
  std::uint64_t l1 = 0;
  for (int i = 0; i < 8; ++i) l1 = l1 << 8 | static_cast<unsigned char>(image[40 + i]);
  put_number(image, l1, 1ULL << 63 | 0x10000, 8);  // its first table is the refcount table
  const auto refused = upload("p/x", msg::ImageFormat::qcow2, image);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "format");
  EXPECT_EQ(refused.error().detail, "the tables of the qcow2 image are corrupt");
  EXPECT_FALSE(is_listed("p/x"));
}

TEST_F(ImageChecks, GivesAVerdictOnDamagedImages) {
  const auto whole = a_real_image();
  std::mt19937 random(5);
  int refused = 0;
  for (int i = 0; i < damaged_images; ++i) {
    auto image = whole;
    for (int k = 0; k < 32; ++k)  // in the tables, which are first
      image[72 + random() % 0x50000 % (image.size() - 72)] = static_cast<char>(random());
    const auto verdict = check(image);
    if (verdict) continue;
    ++refused;
    EXPECT_EQ(verdict.error().field, "format") << verdict.error().detail;
  }
  EXPECT_GT(refused, 0);
}

TEST_F(ImageChecks, ConfinesTheProgram) {
  const auto run = [](const std::string& script, core::Confinement limits = {}) {
    const auto ran = core::run_child({.argv = {"sh", "-c", script}, .confinement = limits});
    return ran ? core::shown(ran->end) + " " + ran->output : ran.error().detail;
  };
  EXPECT_EQ(run("echo in; exit 3"), "exit status 3 in\n");
  const auto file = folder_.file("written");
  (void)run("echo x >" + file);
  EXPECT_TRUE(!std::filesystem::exists(file) || std::filesystem::file_size(file) == 0);
  EXPECT_EQ(run("ulimit -v", {.memory_bytes = 512 << 20}), "exit status 0 524288\n");
  EXPECT_EQ(run("ulimit -t", {.cpu_s = 7}), "exit status 0 7\n");
  EXPECT_EQ(run("ulimit -n", {.open_files_max = 20}), "exit status 0 20\n");
}

TEST_F(ImageChecks, GivesTheProgramNoSocket) {
  const auto run = [](const std::string& script, std::optional<core::Confinement> limits) {
    const auto ran =
        core::run_child({.argv = {"/usr/bin/python3", "-c", "import socket, os\n" + script},
                         .confinement = limits});
    return ran ? core::shown(ran->end) + " " + ran->errors : ran.error().detail;
  };
  for (const std::string script :
       {"socket.socket(socket.AF_INET)", "socket.socket(socket.AF_UNIX)", "socket.socketpair()",
        "os.mkdir('/tmp/made')", "os.setuid(65534)"}) {
    EXPECT_THAT(run(script, core::Confinement{}),
                testing::HasSubstr("OSError: [Errno 38] Function not implemented"))
        << script;
  }
  EXPECT_EQ(run("socket.socketpair()", std::nullopt), "exit status 0 ");
}

TEST_F(ImageChecks, SaysWhenTheProgramCannotBeStarted) {
  const auto ran = core::run_child({.argv = {"/no/such/program"}, .confinement = {{}}});
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, core::ErrorCode::internal);
  EXPECT_EQ(ran.error().detail,
            "/no/such/program cannot be started: nucleus-confine: /no/such/program: No such file "
            "or directory");
}

}  // namespace
}  // namespace nucleus::tests
