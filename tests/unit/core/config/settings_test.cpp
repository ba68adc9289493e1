// Settings: what is taken from where, and that whatever is wrong stops the start.
#include "core/config/settings.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace nucleus::core {
namespace {

using Values = std::map<std::string, std::string>;

/// Sets a variable of the environment for one test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_{name} { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(Settings, GiveTheDefaultWhereNothingIsSaid) {
  Settings settings;
  EXPECT_EQ(settings.text("room.name", "x"), "x");
  EXPECT_EQ(settings.number("room.size", 7, 1, 10), 7);
  EXPECT_TRUE(settings.flag("room.is_open", true));
  EXPECT_TRUE(settings.finish());
}

TEST(Settings, GiveWhatTheFileSays) {
  Settings settings(Values{{"room.name", "y"}, {"room.size", "10"}, {"room.is_open", "false"}});
  EXPECT_EQ(settings.text("room.name", "x"), "y");
  EXPECT_EQ(settings.number("room.size", 7, 1, 10), 10);
  EXPECT_FALSE(settings.flag("room.is_open", true));
  EXPECT_TRUE(settings.finish());
}

TEST(Settings, GiveWhatTheEnvironmentSaysBeforeTheFile) {
  const Variable variable("NUCLEUS_ROOM_SIZE_MAX_S", "3");
  Settings settings(Values{{"room.size_max_s", "9"}});
  EXPECT_EQ(settings.number("room.size_max_s", 7, 1, 10), 3);
  EXPECT_TRUE(settings.finish());
}

TEST(Settings, TellTheFirstNumberThatIsOutOfItsBounds) {
  Settings settings(Values{{"room.size", "11"}, {"room.depth", "0"}});
  settings.number("room.size", 7, 1, 10);
  settings.number("room.depth", 7, 1, 10);
  const auto finished = settings.finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(finished.error().detail, "room.size must be a whole number from 1 to 10");
}

TEST(Settings, RefuseWhatIsNoWholeNumber) {
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

TEST(Settings, RefuseAKeyThatNobodyAskedFor) {
  Settings settings(Values{{"room.nmae", "y"}});
  settings.text("room.name", "x");
  const auto finished = settings.finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().detail, "no such setting: room.nmae");
}

TEST(Settings, ShowWhatIsInForce) {
  Settings settings(Values{{"room.size", "4"}});
  settings.number("room.size", 7, 1, 10);
  settings.flag("room.is_open", true);
  settings.text("room.name", "x");
  const std::map<std::string, std::string> expected = {
      {"room.size", "4"}, {"room.is_open", "true"}, {"room.name", "x"}};
  EXPECT_EQ(settings.in_force(), expected);
}

TEST(Settings, RefuseAFileThatIsNotThere) {
  const auto loaded = Settings::load("/nowhere/settings.yaml");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace nucleus::core
