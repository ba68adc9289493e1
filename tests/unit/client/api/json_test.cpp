// JSON as the client reads and writes it.
#include "client/api/json.hpp"

#include <gtest/gtest.h>

namespace nucleus::client {
namespace {

TEST(Json, KeepsItsMembersInOrder) {
  const auto json = Json::parse(R"({"b": 1, "a": [true, null, "x\n", -2.5], "c": {"d": "é"}})");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->dumped(), "{\"b\":1,\"a\":[true,null,\"x\\n\",-2.5],\"c\":{\"d\":\"é\"}}");
  EXPECT_EQ((*json)["b"].number(), 1);
  EXPECT_EQ((*json)["a"].items().size(), 4U);
  EXPECT_EQ((*json)["a"].items()[0].text(), "true");
  EXPECT_EQ((*json)["a"].items()[3].number(), std::nullopt);
  EXPECT_EQ((*json)["c"]["d"].text(), "é");
}

TEST(Json, ReturnsNullForAMissingMember) {
  const Json text = "x";
  EXPECT_EQ(text["a"]["b"].kind(), Json::Kind::nothing);
  EXPECT_TRUE(Json()["a"].text().empty());
  EXPECT_TRUE(Json().items().empty());
  EXPECT_EQ(Json().dumped(), "null");
  EXPECT_EQ(Json::list().dumped(), "[]");
  EXPECT_EQ(Json::object().dumped(), "{}");
}

TEST(Json, RefusesMalformedText) {
  for (const char* wrong : {"", "{", "[1,]", "{\"a\"}", "nul", "\"\xff\"", "1 2", "{'a': 1}"})
    EXPECT_FALSE(Json::parse(wrong)) << wrong;
  EXPECT_TRUE(Json::parse(std::string(60, '[') + std::string(60, ']')));
  EXPECT_FALSE(Json::parse(std::string(100'000, '[')));
}

TEST(Json, SetsMembersByNameAndKeepsTheLastValue) {
  auto json = Json::object({{"cluster", "c1"}, {"count", 2}});
  json.set("count", std::int64_t{3}).set("nodes", "n");
  EXPECT_EQ(json.dumped(), R"({"cluster":"c1","count":3,"nodes":"n"})");
  EXPECT_EQ(Json("\xff").dumped(), "\"\xEF\xBF\xBD\"");
}

TEST(Json, ReplacesControlCharactersOfTextsAndNames) {
  const auto json =
      Json::parse("{\"a\\u001bb\": \"\\u001b[2J\\r \\u009b1m\\u007f\\t\\n\"}").value();
  EXPECT_EQ(json.items()[0].key(),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(json.items()[0].text(),
            "\xEF\xBF\xBD[2J\xEF\xBF\xBD \xEF\xBF\xBD"
            "1m\xEF\xBF\xBD\t\n");
}

}  // namespace
}  // namespace nucleus::client
