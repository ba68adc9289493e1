// Log lines: values are escaped, so that no value can forge a line.
#include "core/log/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <sstream>
#include <thread>

namespace nucleus::core {
namespace {

using testing::HasSubstr;

/// Captures the default logger's output.
class Log : public testing::Test {
 protected:
  void SetUp() override {
    before_ = spdlog::default_logger();
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(text_));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(std::move(logger));
  }
  void TearDown() override { spdlog::set_default_logger(before_); }

  std::string logged(std::string_view value) {
    text_.str("");
    log::info("event", {{"value", value}});
    return text_.str();
  }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_ = {};
  std::shared_ptr<spdlog::logger> before_ = {};
};

TEST_F(Log, WritesAPlainWordWithoutQuotes) {
  EXPECT_EQ(logged("n-01/x:y"), "info event value=n-01/x:y\n");
}

TEST_F(Log, QuotesOtherValues) {
  EXPECT_EQ(logged(""), "info event value=\"\"\n");
  EXPECT_EQ(logged("two words"), "info event value=\"two words\"\n");
  EXPECT_EQ(logged("a=b"), "info event value=\"a=b\"\n");
  EXPECT_EQ(logged(R"(say "hi" \o/)"), "info event value=\"say \\\"hi\\\" \\\\o/\"\n");
}

TEST_F(Log, EscapesLineEndsAndTerminalControls) {
  EXPECT_EQ(logged("x\r\nerror forged=1"), "info event value=\"x\\x0d\\x0aerror forged=1\"\n");
  EXPECT_EQ(logged("\x1b]0;title\a"), "info event value=\"\\x1b]0;title\\x07\"\n");
  EXPECT_EQ(logged(std::string("a\0b", 3)), "info event value=\"a\\x00b\"\n");
  EXPECT_EQ(logged("\xe2\x80\xae"), "info event value=\"\\xe2\\x80\\xae\"\n");
}

TEST_F(Log, NamesTheRequestOfItsThread) {
  const log::Trace outer{"a1"};
  {
    const log::Trace inner{"b2"};
    const log::Trace empty{""};
    EXPECT_EQ(logged("x"), "info event value=x trace=b2\n");
    EXPECT_EQ(log::Trace::current(), "b2");
    std::thread([] { EXPECT_EQ(log::Trace::current(), ""); }).join();
  }
  EXPECT_EQ(logged("x"), "info event value=x trace=a1\n");
  log::info("event", {{"trace", "c3"}});
  EXPECT_THAT(text(), testing::EndsWith("info event trace=c3\n"));
}

TEST_F(Log, TruncatesLongValues) {
  const auto line = logged(std::string(1'000'000, 'x'));
  EXPECT_LT(line.size(), 600U);
}

TEST_F(Log, WritesAnyBytesAsOneLineOfPrintableCharacters) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const auto line = logged(all);
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  EXPECT_TRUE(std::ranges::all_of(line.substr(0, line.size() - 1), [](char c) {
    return static_cast<unsigned char>(c) >= ' ' && static_cast<unsigned char>(c) < 0x7f;
  }));
}

}  // namespace
}  // namespace nucleus::core
