// Parts of a multipart body in a file: found and bounded, whatever the bytes are.
#include "gateway/uploads/multipart.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "tests/support/temporary_folder.hpp"

namespace nucleus::gateway {
namespace {

constexpr const char* form = "multipart/form-data; boundary=XYZ";

class Multipart : public testing::Test {
 protected:
  core::Result<std::vector<Part>> parts(const std::string& body,
                                        const std::string& content_type = form) {
    std::ofstream(path_, std::ios::binary) << body;
    return find_parts(path_, content_type);
  }
  std::string content(const Part& part) {
    const std::string to = folder_.file("part");
    EXPECT_TRUE(copy_part(path_, part, to));
    std::ostringstream text;
    text << std::ifstream(to, std::ios::binary).rdbuf();
    return text.str();
  }
  static std::string a_part(const std::string& name, const std::string& body) {
    return "--XYZ\r\nContent-Disposition: form-data; name=\"" + name +
           "\"; filename=\"f\"\r\nContent-Type: application/octet-stream\r\n\r\n" + body + "\r\n";
  }

  tests::TemporaryFolder folder_ = {};
  std::string path_ = folder_.file("body");
};

TEST_F(Multipart, FindsEachPartWithItsNames) {
  const std::string bytes("\0\r\n--XY\r\nbody\xff", 14);
  const auto found =
      parts(a_part("file", bytes) + a_part("md5", "abc") + a_part("empty", "") + "--XYZ--\r\n");
  ASSERT_TRUE(found) << found.error().detail;
  ASSERT_EQ(found->size(), 3U);
  EXPECT_EQ((*found)[0].name, "file");
  EXPECT_EQ((*found)[0].file_name, "f");
  EXPECT_EQ(content((*found)[0]), bytes);
  EXPECT_EQ(content((*found)[1]), "abc");
  EXPECT_EQ(content((*found)[2]), "");
}

TEST_F(Multipart, SkipsAPreambleAndAcceptsAQuotedBoundary) {
  const auto found = parts("preamble\r\n" + a_part("a", "1") + "--XYZ--",
                           "Multipart/Form-Data; charset=utf-8; boundary=\"XYZ\"");
  ASSERT_TRUE(found) << found.error().detail;
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(content((*found)[0]), "1");
}

TEST_F(Multipart, RefusesWhatIsNotMultipart) {
  const std::string sound = a_part("a", "1") + "--XYZ--";
  for (const char* type : {"", "application/json", "multipart/form-data",
                           "multipart/form-data; boundary=", "text/plain; boundary=XYZ"})
    EXPECT_FALSE(parts(sound, type)) << type;
  EXPECT_FALSE(parts(sound, "multipart/form-data; boundary=" + std::string(71, 'x')));
  for (const auto& body :
       {std::string(), std::string("--XYZ"), std::string("--XYZ\r\n"), std::string("nothing"),
        std::string("--XYZ\r\nname: x\r\n\r\nbody"), a_part("a", "1"), a_part("a", "1") + "--XYZ",
        "--XYZ\r\n" + std::string(9000, 'h') + "\r\n\r\nbody\r\n--XYZ--"})
    EXPECT_FALSE(parts(body)) << body.substr(0, 40);
  EXPECT_FALSE(find_parts(folder_.file("nothing"), form));
}

TEST_F(Multipart, RefusesTooManyParts) {
  std::string body;
  for (int i = 0; i < 17; ++i) body += a_part("p" + std::to_string(i), "x");
  EXPECT_FALSE(parts(body + "--XYZ--"));
}

TEST_F(Multipart, ReturnsPartsWithinTheFileForAnyBytes) {
  std::mt19937_64 random(5);
  const auto pick = [&](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>{0, most}(random);
  };
  const std::string sound =
      a_part("file", std::string(200, 'b')) + a_part("md5", "abc") + "--XYZ--\r\n";
  for (int i = 0; i < 2'000; ++i) {
    std::string body = sound;
    for (std::size_t k = 0, count = 1 + pick(3); k < count; ++k) {
      const std::size_t at = pick(body.size() - 1);
      switch (pick(2)) {
        case 0:
          body[at] = static_cast<char>(pick(255));
          break;
        case 1:
          body.erase(at, pick(20));
          break;
        default:
          body.insert(at, body.substr(pick(body.size() - 1), pick(40)));
      }
      if (body.empty()) body = "x";
    }
    const auto found = parts(body);
    if (!found) continue;
    for (const auto& part : *found) {
      EXPECT_LE(part.offset, body.size());
      EXPECT_LE(part.size_bytes, body.size() - part.offset);
    }
  }
}

}  // namespace
}  // namespace nucleus::gateway
