// Settings: the sources of values, their precedence, and the errors that stop the start.
#include "core/config/settings.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/temporary_folder.hpp"

namespace nucleus::core {
namespace {

using Values = std::map<std::string, std::string>;

/// Sets an environment variable for the duration of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_{name} { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(Settings, ReturnTheDefaultOfAnUnsetKey) {
  Settings settings;
  EXPECT_EQ(settings.text("room.name", "x"), "x");
  EXPECT_EQ(settings.number("room.size", 7, 1, 10), 7);
  EXPECT_TRUE(settings.flag("room.is_open", true));
  EXPECT_TRUE(settings.finish());
}

TEST(Settings, ReturnTheValueOfTheFile) {
  Settings settings(Values{{"room.name", "y"}, {"room.size", "10"}, {"room.is_open", "false"}});
  EXPECT_EQ(settings.text("room.name", "x"), "y");
  EXPECT_EQ(settings.number("room.size", 7, 1, 10), 10);
  EXPECT_FALSE(settings.flag("room.is_open", true));
  EXPECT_TRUE(settings.finish());
}

TEST(Settings, LetTheEnvironmentOverrideTheFile) {
  const Variable variable("NUCLEUS_ROOM_SIZE_MAX_S", "3");
  Settings settings(Values{{"room.size_max_s", "9"}});
  EXPECT_EQ(settings.number("room.size_max_s", 7, 1, 10), 3);
  EXPECT_TRUE(settings.finish());
}

TEST(Settings, ReportTheFirstNumberOutOfRange) {
  Settings settings(Values{{"room.size", "11"}, {"room.depth", "0"}});
  settings.number("room.size", 7, 1, 10);
  settings.number("room.depth", 7, 1, 10);
  const auto finished = settings.finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(finished.error().detail, "room.size must be an integer from 1 to 10");
}

TEST(Settings, RefuseANumberThatIsNotAnInteger) {
  for (const char* wrong : {"", " 5", "5 ", "5s", "0x5", "5.0", "five", "99999999999999999999"}) {
    Settings settings(Values{{"room.size", wrong}});
    settings.number("room.size", 7, 1, 10);
    EXPECT_FALSE(settings.finish()) << "'" << wrong << "'";
  }
}

TEST(Settings, RefuseAFlagThatIsNeitherTrueNorFalse) {
  for (const char* wrong : {"", "yes", "1", "True", "true "}) {
    Settings settings(Values{{"room.is_open", wrong}});
    EXPECT_FALSE(settings.flag("room.is_open", false)) << "'" << wrong << "'";
    EXPECT_FALSE(settings.finish()) << "'" << wrong << "'";
  }
}

TEST(Settings, RefuseAnUnknownKey) {
  Settings settings(Values{{"room.nmae", "y"}});
  settings.text("room.name", "x");
  const auto finished = settings.finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().detail, "unknown setting: room.nmae");
}

TEST(Settings, ShowTheEffectiveValues) {
  Settings settings(Values{{"room.size", "4"}});
  settings.number("room.size", 7, 1, 10);
  settings.flag("room.is_open", true);
  settings.text("room.name", "x");
  const std::map<std::string, std::string> expected = {
      {"room.size", "4"}, {"room.is_open", "true"}, {"room.name", "x"}};
  EXPECT_EQ(settings.in_force(), expected);
}

TEST(Settings, RefuseAMissingFile) {
  const auto loaded = Settings::load("/nowhere/settings.yaml");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::invalid_argument);
}

TEST(Settings, ReadValuesOfAFileWithoutTheEnvironment) {
  const tests::TemporaryFolder folder;
  std::ofstream(folder.file("rights.yaml")) << "project: demo\n";
  const Variable variable("NUCLEUS_PROJECT", "*");
  const auto values = read_values(folder.file("rights.yaml"));
  ASSERT_TRUE(values);
  EXPECT_EQ(*values, (Values{{"project", "demo"}}));
}

}  // namespace
}  // namespace nucleus::core
