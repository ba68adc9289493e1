#include "services/console/driver/asciicast.hpp"

#include <gtest/gtest.h>

namespace nucleus::console {
namespace {

using std::chrono::milliseconds;

msg::Recording a_recording() {
  return {.recording_id = "0001796043442-abc",
          .project_id = {"lab"},
          .cluster_id = {"vc2"},
          .node_id = {"n1"},
          .node_name = "vm-vc2-00",
          .log_id = "log",
          .begin_offset = 100,
          .begin_unix_ms = 1'796'043'442'123};
}

/// Reads all lines; where the log had got to.
LineReader read_all(std::string_view lines, std::uint64_t offset) {
  LineReader reader{offset};
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    EXPECT_TRUE(reader.read(lines.substr(0, end))) << lines;
    lines.remove_prefix(end + 1);
  }
  return reader;
}

TEST(RecordingHeader, IsAnAsciicastThatSaysWhatItHolds) {
  auto recording = a_recording();
  const auto open = header_line(recording);
  EXPECT_TRUE(open.starts_with(R"({"height":24,"nucleus":{)")) << open;
  EXPECT_NE(open.find(R"("version":2,"width":80)"), std::string::npos);
  recording.end_offset = UINT64_MAX;
  recording.lost_bytes = UINT64_MAX;
  recording.end_unix_ms = INT64_MAX;
  recording.is_end_inferred = true;
  const auto sealed = header_line(recording, open.size());
  EXPECT_EQ(sealed.size(), open.size());  // it is written in the same place
  EXPECT_EQ(parse_header(sealed), recording);
  EXPECT_EQ(parse_header(R"({"version":2,"width":80,"height":24})"), std::nullopt);
  EXPECT_EQ(parse_header("{\"version\""), std::nullopt);
}

TEST(RecordingLines, AreOutputWithItsTime) {
  OutputLines lines{0};
  EXPECT_EQ(lines.output(milliseconds(1500), 0, "a\"\x1b[0m\r\n"),
            "[1.500, \"o\", \"a\\\"\\u001b[0m\\r\\n\"]\n");
  EXPECT_EQ(lines.written(), 8U);
}

TEST(RecordingLines, LeaveOutBytesThatAreRecordedAlready) {
  OutputLines lines{10};
  EXPECT_EQ(lines.output(milliseconds(0), 10, "abc"), "[0.000, \"o\", \"abc\"]\n");
  EXPECT_EQ(lines.output(milliseconds(0), 10, "abc"), "");
  EXPECT_EQ(lines.output(milliseconds(0), 12, "cd"), "[0.000, \"o\", \"d\"]\n");
  EXPECT_EQ(lines.lost(), 0U);
}

TEST(RecordingLines, MarkAGap) {
  OutputLines lines{10};
  (void)lines.output(milliseconds(0), 10, "abc");
  const auto after = lines.output(milliseconds(2000), 20, "x");
  EXPECT_EQ(after, "[2.000, \"m\", \"gap 13-20\"]\n[2.000, \"o\", \"x\"]\n");
  EXPECT_EQ(lines.lost(), 7U);
  EXPECT_EQ(lines.finish(milliseconds(3000), 25), "[3.000, \"m\", \"gap 21-25\"]\n");
  EXPECT_EQ(lines.lost(), 11U);
}

TEST(RecordingLines, KeepACharacterUntilItIsWhole) {
  OutputLines lines{0};
  EXPECT_EQ(lines.output(milliseconds(1), 0, "\xe2\x82"), "");
  EXPECT_EQ(lines.written(), 0U);
  EXPECT_EQ(lines.output(milliseconds(2), 2, "\xac!"), "[0.002, \"o\", \"\xe2\x82\xac!\"]\n");
  EXPECT_EQ(lines.written(), 4U);
}

TEST(RecordingLines, TellTheirOffsetWhateverTheBytesAre) {
  OutputLines lines{7};
  std::string all = lines.output(milliseconds(1), 7,
                                 "a\xff"
                                 "b");
  all += lines.output(milliseconds(2), 10, "\xf0\x9f");  // half a character
  all += lines.output(milliseconds(3), 40, "end");
  const auto read = read_all(all, 7);
  EXPECT_EQ(read.offset(), 43U);
  EXPECT_EQ(read.offset(), lines.written());
  EXPECT_EQ(read.lost(), 28U);
  EXPECT_EQ(read.since(), milliseconds(3));
}

TEST(RecordingLines, AreNotFooledByWhatAGuestPrints) {
  OutputLines lines{0};
  const auto all = lines.output(milliseconds(1), 0, "[0.1, \"m\", \"gap 0-99\"]\n");
  const auto read = read_all(all, 0);
  EXPECT_EQ(read.offset(), 23U);
  EXPECT_EQ(read.lost(), 0U);
}

TEST(RecordingLines, RefuseWhatIsNoLine) {
  LineReader reader{0};
  for (const char* line : {"", "[1.0, \"o\"", "{}", "[1, 2, 3]", "[0.1, \"m\", \"gap 9-1\"]"})
    EXPECT_FALSE(reader.read(line)) << line;
  EXPECT_EQ(reader.offset(), 0U);
}

}  // namespace
}  // namespace nucleus::console
