// Listings made from the server's JSON.
#include "client/output/views.hpp"

#include <gtest/gtest.h>

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

TEST(NodeView, HasTheColumnsOfTheFirstGenerationInOrder) {
  const Json sets = Json::parse(R"([{"id": 7, "account": "a"}])").value();
  const auto all = node_view(a_cluster(), sets, NodeColumns::all_table);
  EXPECT_EQ(all->columns, (Row{"name", "state", "computeset", "allocation", "admin_state", "mac",
                               "ip", "cluster", "kind", "type", "cpus", "RAM(M)", "disk(G)"}));
  EXPECT_EQ(node_view(a_cluster(), sets, NodeColumns::all_data)->columns,
            (Row{"name", "state", "kind", "type", "mac", "ip", "cpus", "cluster", "RAM(M)",
                 "disk(G)", "computeset", "allocation", "admin_state"}));
  EXPECT_EQ(node_view(a_cluster(), sets, NodeColumns::concise)->columns.back(), "cluster");
  EXPECT_EQ(node_view(a_cluster(), sets, NodeColumns::status)->columns.back(), "admin_state");
  // The frontend first, then the computes as the server lists them.
  EXPECT_EQ(all->rows.at(0).at(0), "fe");
  EXPECT_EQ(all->rows.at(0).at(5), "02:ff\n02:00");
  EXPECT_EQ(all->rows.at(1).at(2), "7");
  EXPECT_EQ(all->rows.at(1).at(3), "a");
  EXPECT_EQ(all->rows.at(2).at(0), "n-00");
  EXPECT_EQ(all->rows.at(2).at(2), "8(submitted)");
}

TEST(NodeView, SortsByEveryColumnEvenOneNotShown) {
  for (const char* key : {"name", "state", "kind", "type", "mac", "ip", "cpus", "cluster", "ram",
                          "disk", "computeset", "allocation", "admin_state"})
    EXPECT_TRUE(node_view(a_cluster(), {}, NodeColumns::status, key)) << key;
  const auto by_memory = node_view(a_cluster(), {}, NodeColumns::status, "ram");
  EXPECT_EQ(by_memory->rows.at(0).at(0), "n-01");
  EXPECT_EQ(by_memory->rows.at(2).at(0), "n-00");
  EXPECT_FALSE(node_view(a_cluster(), {}, NodeColumns::all_table, "colour"));
}

TEST(ListView, IsRenderedInEachFormat) {
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

}  // namespace
}  // namespace nucleus::client
