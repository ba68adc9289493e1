// Which clients accept gzip, and what becomes of a response that is packed.
#include "core/http/gzip.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

namespace nucleus::core::http {
namespace {

std::string unpacked(const std::string& packed) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string input = packed;
  std::string text(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

bool is_accepted(const std::string& header) {
  return accepts_gzip({.headers = {{"Accept-Encoding", header}}});
}

TEST(Gzip, IsUsedOnlyIfTheClientNamesIt) {
  for (const auto* header : {"gzip", "gzip, deflate, br", "br,gzip", "deflate , gzip ;q=0.5",
                             "gzip;q=1", "gzip;q=0.001"})
    EXPECT_TRUE(is_accepted(header)) << header;
  for (const auto* header : {"", "identity", "br", "gzip;q=0", "gzip; q=0.000", "gzip;Q=0.",
                             "x-gzip", "gzipped", "br;x=gzip", ",,", ";", "*"})
    EXPECT_FALSE(is_accepted(header)) << header;
  EXPECT_FALSE(accepts_gzip({}));
}

TEST(Gzip, GivesTheSameTextBack) {
  std::string noise;
  for (std::uint32_t i = 1; noise.size() < 100'000; i = i * 1'664'525 + 1'013'904'223)
    noise += static_cast<char>(i >> 24);
  for (const auto& text : {std::string(), std::string("x"), std::string(300'000, 'y'), noise})
    EXPECT_EQ(unpacked(gzip(text)), text);
}

TEST(Gzip, PacksABodyAndNamesItsBytes) {
  const std::string text(10'000, 'x');
  Response response{.headers = {{"ETag", "\"5.ab\""}}, .body = text};
  pack_with_gzip(response);
  EXPECT_LT(response.body.size(), 200U);
  EXPECT_EQ(unpacked(response.body), text);
  EXPECT_EQ(response.headers.at("Content-Encoding"), "gzip");
  EXPECT_EQ(response.headers.at("ETag"), "\"5.ab.gz\"");
}

}  // namespace
}  // namespace nucleus::core::http
