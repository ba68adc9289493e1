// golden/ holds the encoded bytes of every message and record of each release: one file per topic,
// one line per release and kind. All of them must stay readable without loss; a renamed, retyped or
// removed field fails this test. NUCLEUS_WRITE_GOLDEN=1 adds the missing lines of the current
// release.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <msgpack.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "tests/contract/messages/every_message.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;

const fs::path golden_folder = fs::path(NUCLEUS_SOURCE_DIR) / "tests/contract/golden";

struct GoldenLine {
  std::string release = {};
  std::string kind = {};
  std::string bytes = {};
};

std::string to_hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    text += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return bytes;
}

std::vector<GoldenLine> lines_of(const std::string& file) {
  std::ifstream text(golden_folder / file);
  std::vector<GoldenLine> lines;
  GoldenLine line;
  std::string hex;
  while (text >> line.release >> line.kind >> hex) {
    line.bytes = from_hex(hex);
    lines.push_back(line);
  }
  return lines;
}

/// The path of the first value in `kept` that `again` lacks or changes; empty = none.
std::string lost(const msgpack::object& kept, const msgpack::object& again,
                 const std::string& path) {
  if (kept.type == msgpack::type::ARRAY && again.type == msgpack::type::ARRAY) {
    if (kept.via.array.size != again.via.array.size) return path + " has a different length";
    for (std::uint32_t i = 0; i < kept.via.array.size; ++i) {
      auto what = lost(kept.via.array.ptr[i], again.via.array.ptr[i], path + "[]");
      if (!what.empty()) return what;
    }
    return {};
  }
  if (kept.type != msgpack::type::MAP || again.type != msgpack::type::MAP)
    return kept == again ? "" : path + " has a different value";
  for (std::uint32_t i = 0; i < kept.via.map.size; ++i) {
    const auto& [key, value] = kept.via.map.ptr[i];
    const std::string name = path + "." + key.as<std::string>();
    const msgpack::object* found = nullptr;
    for (std::uint32_t k = 0; k < again.via.map.size; ++k)
      if (again.via.map.ptr[k].key == key) found = &again.via.map.ptr[k].val;
    if (!found) return name + " is unknown";
    auto what = lost(value, *found, name);
    if (!what.empty()) return what;
  }
  return {};
}

TEST(Golden, BytesOfEveryReleaseDecodeWithoutLoss) {
  for_every_struct([]<class T>(const std::string& file, const std::string& kind) {
    for (const auto& line : lines_of(file)) {
      if (line.kind != kind) continue;
      const std::string name = file + " " + kind + " of " + line.release;
      try {
        const std::string again = msg::encode(msg::decode<T>(line.bytes));
        const auto kept = msgpack::unpack(line.bytes.data(), line.bytes.size());
        const auto now = msgpack::unpack(again.data(), again.size());
        EXPECT_EQ(lost(kept.get(), now.get(), "body"), "") << name;
      } catch (const msg::DecodeError& error) {
        ADD_FAILURE() << name << ": " << error.what();
      }
    }
  });
}

TEST(Golden, CoversEveryMessageAndRecordOfThisRelease) {
  const bool is_writing = std::getenv("NUCLEUS_WRITE_GOLDEN") != nullptr;
  for_every_struct([is_writing]<class T>(const std::string& file, const std::string& kind) {
    const auto lines = lines_of(file);
    const bool is_there = std::ranges::any_of(lines, [&](const GoldenLine& line) {
      return line.release == NUCLEUS_VERSION && line.kind == kind;
    });
    if (is_there) return;
    if (!is_writing) {
      ADD_FAILURE() << "no bytes of " << file << " " << kind << " of " << NUCLEUS_VERSION
                    << ": run this test with NUCLEUS_WRITE_GOLDEN=1 and commit the result";
      return;
    }
    fs::create_directories(golden_folder);
    std::ofstream(golden_folder / file, std::ios::app)
        << NUCLEUS_VERSION << ' ' << kind << ' ' << to_hex(msg::encode(filled<T>())) << '\n';
  });
}

/// The topics declared in messages/.
std::set<std::string> declared_topics() {
  const std::regex topic(R"rx(string_view topic = "([^"]+)")rx");
  std::set<std::string> topics;
  for (const auto& header : fs::directory_iterator(fs::path(NUCLEUS_SOURCE_DIR) / "messages")) {
    std::ostringstream text;
    text << std::ifstream(header.path()).rdbuf();
    const std::string source = text.str();
    for (std::sregex_iterator found(source.begin(), source.end(), topic), end; found != end;
         ++found)
      topics.insert((*found)[1]);
  }
  return topics;
}

TEST(Golden, CoversEveryTopic) {
  std::set<std::string> listed;
  for_every_request_and_event(
      [&]<class T>(const std::string& topic, const std::string&) { listed.insert(topic); });
  EXPECT_EQ(listed, declared_topics());
}

}  // namespace
}  // namespace nucleus::tests
