// JSON as the client reads and writes it, and the lines of its shell.
#include "client/api/json.hpp"

#include <gtest/gtest.h>

#include "client/shell_line.hpp"

namespace nucleus::client {
namespace {

TEST(Json, KeepsWhatItReadInItsOrder) {
  const auto json = Json::parse(R"({"b": 1, "a": [true, null, "x\n", -2.5], "c": {"d": "é"}})");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->dumped(), "{\"b\":1,\"a\":[true,null,\"x\\n\",-2.5],\"c\":{\"d\":\"é\"}}");
  EXPECT_EQ((*json)["b"].number(), 1);
  EXPECT_EQ((*json)["a"].items().size(), 4U);
  EXPECT_EQ((*json)["a"].items()[0].text(), "true");
  EXPECT_EQ((*json)["a"].items()[3].number(), std::nullopt);
  EXPECT_EQ((*json)["c"]["d"].text(), "é");
}

TEST(Json, AnswersNothingForWhatIsNotThere) {
  const Json text = "x";
  EXPECT_TRUE(text["a"]["b"].is_nothing());
  EXPECT_TRUE(Json()["a"].text().empty());
  EXPECT_TRUE(Json().items().empty());
  EXPECT_EQ(Json().dumped(), "null");
  EXPECT_EQ(Json::list().dumped(), "[]");
  EXPECT_EQ(Json::object().dumped(), "{}");
}

TEST(Json, RefusesWhatIsNone) {
  for (const char* wrong : {"", "{", "[1,]", "{\"a\"}", "nul", "\"\xff\"", "1 2", "{'a': 1}"})
    EXPECT_FALSE(Json::parse(wrong)) << wrong;
  EXPECT_TRUE(Json::parse(std::string(60, '[') + std::string(60, ']')));
  EXPECT_FALSE(Json::parse(std::string(100'000, '[')));
}

TEST(Json, IsBuiltByNameAndKeepsTheLastValue) {
  auto json = Json::object({{"cluster", "c1"}, {"count", 2}});
  json.set("count", std::int64_t{3}).set("nodes", "n");
  EXPECT_EQ(json.dumped(), R"({"cluster":"c1","count":3,"nodes":"n"})");
  EXPECT_EQ(Json("\xff").dumped(), "\"\xEF\xBF\xBD\"");
}

TEST(ShellLine, KnowsCommentsAndLinesOfTheSystemsShell) {
  for (const char* comment : {"# a", "// a", "/* a */", "   # a"})
    EXPECT_EQ(read_line(comment).kind, LineKind::comment) << comment;
  EXPECT_EQ(read_line("!ls -l ").text, "ls -l");
  EXPECT_EQ(read_line(" \t\r\n").kind, LineKind::empty);
  EXPECT_EQ(read_line(" echo #a ").text, "echo #a");
}

TEST(ShellLine, PutsVariablesInAndLeavesWhatNobodyKnows) {
  const auto look_up = [](const std::string& name) -> std::optional<std::string> {
    if (name == "a") return "1";
    if (name == "os.HOME") return "/home";
    return std::nullopt;
  };
  EXPECT_EQ(with_variables("$a$a-$os.HOME. $b $", look_up), "11-/home. $b $");
}

}  // namespace
}  // namespace nucleus::client
