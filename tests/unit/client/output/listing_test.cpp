// Listings in each format.
#include "client/output/listing.hpp"

#include <gtest/gtest.h>

#include "client/api/json.hpp"

namespace nucleus::client {
namespace {

Listing a_listing() {
  return {.columns = {"name", "cpus", "RAM(M)"},
          .rows = {{"vm-b", "10", "512"}, {"vm-a", "9", "1024"}}};
}

TEST(Listing, IsATableWithRules) {
  EXPECT_EQ(rendered(a_listing(), Format::table),
            "+------+------+--------+\n"
            "| name | cpus | RAM(M) |\n"
            "+------+------+--------+\n"
            "| vm-b | 10   | 512    |\n"
            "| vm-a | 9    | 1024   |\n"
            "+------+------+--------+\n");
}

TEST(Listing, PrintsEachLineOfACellBelowTheOther) {
  const Listing listing{.columns = {"ip"}, .rows = {{"10.0.0.1\n172.30.0.2"}}};
  EXPECT_EQ(rendered(listing, Format::table),
            "+------------+\n| ip         |\n+------------+\n| 10.0.0.1   |\n| 172.30.0.2 |\n"
            "+------------+\n");
  EXPECT_EQ(rendered(listing, Format::csv), "ip\n10.0.0.1;172.30.0.2\n");
}

TEST(Listing, CountsCharactersNotBytes) {
  const Listing listing{.columns = {"n"}, .rows = {{"\xc3\xa9\xc3\xa9"}, {"ab"}}};
  EXPECT_EQ(rendered(listing, Format::table),
            "+----+\n| n  |\n+----+\n| \xc3\xa9\xc3\xa9 |\n| ab |\n+----+\n");
}

TEST(Listing, QuotesCellsWithCommasAndQuotes) {
  const Listing listing{.columns = {"a", "b"}, .rows = {{"x,y", "say \"hi\""}}};
  EXPECT_EQ(rendered(listing, Format::csv), "a,b\n\"x,y\",\"say \"\"hi\"\"\"\n");
}

TEST(Listing, IsAMapByNumberInJsonAndYaml) {
  const auto json = Json::parse(rendered(a_listing(), Format::json)).value();
  EXPECT_EQ(json["0"]["name"].text(), "vm-b");
  EXPECT_EQ(json["1"]["RAM(M)"].text(), "1024");
  const auto yaml = rendered(a_listing(), Format::yaml);
  EXPECT_NE(yaml.find("\"0\":"), std::string::npos) << yaml;
  EXPECT_NE(yaml.find("name: \"vm-b\""), std::string::npos) << yaml;
}

TEST(Listing, IsValidJsonWhateverTheBytes) {
  const Listing listing{.columns = {"a"}, .rows = {{"\xff\xfe \"\\\x01"}}};
  EXPECT_TRUE(Json::parse(rendered(listing, Format::json)));
}

TEST(Listing, SortsNumbersAsNumbersAndTextAsText) {
  auto listing = a_listing();
  ASSERT_TRUE(listing.sort_by("cpus"));
  EXPECT_EQ(listing.rows[0][0], "vm-a");
  ASSERT_TRUE(listing.sort_by("ram"));
  EXPECT_EQ(listing.rows[0][2], "512");
  ASSERT_TRUE(listing.sort_by("name"));
  EXPECT_EQ(listing.rows[0][0], "vm-a");
  EXPECT_TRUE(listing.sort_by(""));
}

TEST(Listing, ListsTheSortKeys) {
  auto listing = a_listing();
  const auto sorted = listing.sort_by("colour");
  ASSERT_FALSE(sorted);
  EXPECT_EQ(sorted.error().detail, "--sort must be one of name, cpus, ram");
}

TEST(Listing, KnowsItsFormats) {
  EXPECT_EQ(format_of("csv"), Format::csv);
  EXPECT_EQ(format_of("rest"), Format::rest);
  EXPECT_FALSE(format_of("xml"));
}

}  // namespace
}  // namespace nucleus::client
