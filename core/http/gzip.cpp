#include "core/http/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <new>

namespace nucleus::core::http {

namespace {

constexpr int gzip_level = 3;              // of 9; JSON gets hardly smaller with more
constexpr int gzip_window_bits = 15 + 16;  // 16 = with the head and the checksum of gzip
constexpr int gzip_memory_level = 8;       // zlib's default

/// The text without the spaces and tabs around it.
std::string_view stripped(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// A quality of `0`, `0.`, `0.0` and so on.
bool is_refused(std::string_view parameters) {
  const auto value = stripped(parameters);
  return (value.starts_with("q=0") || value.starts_with("Q=0")) &&
         value.find_first_not_of("0.", 2) == value.npos;
}

}  // namespace

bool accepts_gzip(const Request& request) {
  const std::string header = request.header("Accept-Encoding");
  std::string_view rest = header;
  while (!rest.empty()) {
    const auto coding = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), coding.size() + 1));
    const auto end = std::min(coding.find(';'), coding.size());
    const auto name = stripped(coding.substr(0, end));
    if (name == "gzip") return end == coding.size() || !is_refused(coding.substr(end + 1));
  }
  return false;
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, gzip_level, Z_DEFLATED, gzip_window_bits, gzip_memory_level,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  std::string input(text);
  std::string packed(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);  // the bound is enough for one call
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

void pack_with_gzip(Response& response) {
  response.body = gzip(response.body);
  response.headers["Content-Encoding"] = "gzip";
  const auto etag = response.headers.find("ETag");
  if (etag != response.headers.end() && etag->second.ends_with('"'))
    etag->second.insert(etag->second.size() - 1, ".gz");
}

}  // namespace nucleus::core::http
