// What the client makes of words and of the server's JSON.
#include "client/views.hpp"

#include <gtest/gtest.h>

#include "client/renames.hpp"
#include "client/waiting.hpp"
#include "client/walltime.hpp"

namespace nucleus::client {
namespace {

Json a_cluster() {
  return Json::parse(R"([{"name": "c1", "project": "p", "allocations": ["a", "b"],
    "description": "d", "frontend": {"name": "fe", "state": "active", "type": "VM", "cpus": 1,
    "memory": 128, "disksize": 36, "pub_ip": "10.0.0.1", "pub_mac": "02:ff",
    "interface": [{"mac": "02:00", "iface": "private"}], "frontend_state": "ready"},
    "computes": [
      {"name": "n-01", "state": "active", "type": "VM", "cpus": 24, "memory": 64,
       "disksize": 36, "interface": [{"mac": "02:02"}], "active_computeset": 7,
       "active_computeset_state": "running", "compute_state": "synced"},
      {"name": "n-00", "state": "nostate", "type": "VM", "cpus": 24, "memory": 512,
       "disksize": 36, "interface": [{"mac": "02:01"}], "active_computeset": 8,
       "active_computeset_state": "submitted", "compute_state": "ready"}]}])")
      .value();
}

TEST(Walltime, HasTheUnitsOfOldClientsInEitherCase) {
  EXPECT_EQ(parse_walltime("90m")->minutes, 90);
  EXPECT_EQ(parse_walltime("2H")->minutes, 120);
  EXPECT_EQ(parse_walltime("1d")->minutes, 1'440);
  EXPECT_EQ(parse_walltime("1W")->minutes, 10'080);
  EXPECT_TRUE(parse_walltime("15")->has_no_unit);
  for (const char* wrong : {"", "m", "0m", "-1h", "1x", "1hh", "1.5h", "99999999999999999999d"})
    EXPECT_FALSE(parse_walltime(wrong)) << wrong;
  EXPECT_EQ(shown_minutes(90), "01:30");
  EXPECT_EQ(shown_minutes(2'880 + 61), "2-01:01");
}

TEST(NodeView, HasTheColumnsOfOldClientsInTheirOrder) {
  const Json sets = Json::parse(R"([{"id": 7, "account": "a"}])").value();
  const auto all = node_view(a_cluster(), sets, NodeColumns::all_table);
  EXPECT_EQ(all->columns, (Row{"name", "state", "computeset", "allocation", "admin_state", "mac",
                               "ip", "cluster", "kind", "type", "cpus", "RAM(M)", "disk(G)"}));
  EXPECT_EQ(node_view(a_cluster(), sets, NodeColumns::all_data)->columns,
            (Row{"name", "state", "kind", "type", "mac", "ip", "cpus", "cluster", "RAM(M)",
                 "disk(G)", "computeset", "allocation", "admin_state"}));
  EXPECT_EQ(node_view(a_cluster(), sets, NodeColumns::concise)->columns.back(), "cluster");
  EXPECT_EQ(node_view(a_cluster(), sets, NodeColumns::status)->columns.back(), "admin_state");
  // By MAC; the frontend's public one is first of its own.
  EXPECT_EQ(all->rows.at(0).at(0), "n-00");
  EXPECT_EQ(all->rows.at(0).at(2), "8(submitted)");
  EXPECT_EQ(all->rows.at(1).at(2), "7");
  EXPECT_EQ(all->rows.at(1).at(3), "a");
  EXPECT_EQ(all->rows.at(2).at(5), "02:ff\n02:00");
}

TEST(NodeView, SortsByEveryKeyEvenOfAColumnThatIsNotShown) {
  for (const char* key : {"name", "state", "kind", "type", "mac", "ip", "cpus", "cluster", "ram",
                          "disk", "computeset", "allocation", "admin_state"})
    EXPECT_TRUE(node_view(a_cluster(), {}, NodeColumns::status, key)) << key;
  const auto by_memory = node_view(a_cluster(), {}, NodeColumns::status, "ram");
  EXPECT_EQ(by_memory->rows.at(0).at(0), "n-01");
  EXPECT_EQ(by_memory->rows.at(2).at(0), "n-00");
  EXPECT_FALSE(node_view(a_cluster(), {}, NodeColumns::all_table, "colour"));
}

TEST(Listing, IsWrittenInEachFormat) {
  const auto listing = list_view(a_cluster());
  EXPECT_EQ(listing.rows.at(0).at(3), "n-[00-01]");
  const auto json = Json::parse(rendered(listing, Format::json)).value();
  EXPECT_EQ(json["0"]["allocations"].text(), "a;b");
  EXPECT_NE(rendered(listing, Format::csv).find("c1,p,2,n-[00-01],fe,active,VM,a;b,d\n"),
            std::string::npos);
  EXPECT_NE(rendered(listing, Format::table).find("| c1   | p       | 2     | n-[00-01] |"),
            std::string::npos);
  EXPECT_NE(rendered(listing, Format::yaml).find("Count: \"2\""), std::string::npos);
}

TEST(Renames, GiveNoNameTwiceOnTheWay) {
  const std::vector<std::string> existing = {"a", "b", "c"};
  EXPECT_EQ(*plan_renames(existing, {"a", "b"}, {"b", "x"}), (Renames{{"b", "x"}, {"a", "b"}}));
  const auto swap = plan_renames(existing, {"a", "b"}, {"b", "a"});
  ASSERT_EQ(swap->size(), 3u);
  EXPECT_EQ(swap->front().first, "a");
  EXPECT_EQ(swap->at(1), std::pair(std::string("b"), std::string("a")));
  EXPECT_EQ(swap->back().second, "b");
  EXPECT_FALSE(plan_renames(existing, {"a"}, {"c"}));
  EXPECT_FALSE(plan_renames(existing, {"z"}, {"y"}));
  EXPECT_FALSE(plan_renames(existing, {"a", "b"}, {"x"}));
  EXPECT_FALSE(plan_renames(existing, {}, {}));
}

Json a_set(const char* state, const char* second) {
  return Json::object({{"id", 3},
                       {"state", state},
                       {"computes", Json::list({Json::object({{"state", "active"}}),
                                                Json::object({{"state", second}})})}});
}

TEST(Progress, TellsWhenWhatWasAskedForIsSo) {
  EXPECT_EQ(start_progress(a_set("running", "nostate")).line,
            "computeset 3: running, 1 of 2 nodes active");
  EXPECT_FALSE(start_progress(a_set("running", "nostate")).is_done);
  EXPECT_TRUE(start_progress(a_set("running", "active")).is_done);
  EXPECT_TRUE(start_progress(a_set("failed", "active")).is_failed);
  EXPECT_TRUE(end_progress(a_set("failed", "active")).is_done);
  const Json clusters = a_cluster();
  const Json& cluster = clusters.items().front();
  EXPECT_TRUE(power_progress(cluster, {}, true).is_done);
  EXPECT_FALSE(power_progress(cluster, {"n-00", "n-01"}, true).is_done);
  EXPECT_TRUE(power_progress(cluster, {"n-00"}, false).is_done);
}

}  // namespace
}  // namespace nucleus::client
