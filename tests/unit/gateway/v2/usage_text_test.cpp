// Usage as CSV, and as rows of Slurm's sacct.
#include "gateway/v2/usage_text.hpp"

#include <gtest/gtest.h>

namespace nucleus::gateway {
namespace {

msg::UsageEntry an_entry() {
  return {.computeset_id = 12,
          .project_id = {"physics"},
          .cluster_id = {"demo"},
          .allocation_id = {"grant"},
          .node_count = 2,
          .cores = 8,
          .start_unix_s = 1'764'432'000,
          .end_unix_s = 1'764'525'661,
          .person_id = {"gateway"},
          .state = msg::ComputesetState::completed,
          .created_unix_s = 1'764'431'990,
          .elapsed_s = 93'661,
          .walltime_mins = 2'880,
          .memory_mb = 2'048,
          .node_list = "vm-demo-[00-01]"};
}

std::string value_of(const std::string& name, const msg::UsageEntry& entry) {
  const auto cells = [](const std::string& line) {
    std::vector<std::string> all(1);
    for (const char c : line.substr(0, line.size() - 1))
      if (c == '|')
        all.emplace_back();
      else
        all.back() += c;
    return all;
  };
  const auto names = cells(sacct_header());
  const auto values = cells(sacct_line(entry));
  EXPECT_EQ(values.size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return values[i];
  return "no field " + name;
}

TEST(UsageText, HasTheFieldsOfSacctThatXdmodReads) {
  EXPECT_EQ(sacct_header(),
            "JobID|JobIDRaw|Cluster|Partition|QOS|Account|Group|GID|User|UID|Submit|Eligible|Start|"
            "End|Elapsed|ExitCode|State|NNodes|NCPUS|ReqCPUS|ReqMem|ReqTRES|AllocTRES|Timelimit|"
            "NodeList|JobName\n");
  EXPECT_EQ(sacct_line(an_entry()),
            "12|12|demo|demo|normal|grant|physics|65534|gateway|65534|2025-11-29T15:59:50|"
            "2025-11-29T15:59:50|2025-11-29T16:00:00|2025-11-30T18:01:01|1-02:01:01|0:0|COMPLETED|"
            "2|8|8|2048M|billing=8,cpu=8,mem=2048M,node=2|billing=8,cpu=8,mem=2048M,node=2|"
            "2-00:00:00|vm-demo-[00-01]|demo\n");
}

TEST(UsageText, NamesStatesAsSlurmDoes) {
  auto entry = an_entry();
  entry.walltime_mins = 1'561;
  EXPECT_EQ(value_of("State", entry), "TIMEOUT");
  entry.state = msg::ComputesetState::failed;
  EXPECT_EQ(value_of("State", entry), "FAILED");
  EXPECT_EQ(value_of("ExitCode", entry), "1:0");
  entry.state = msg::ComputesetState::ending;
  entry.end_unix_s = 0;
  EXPECT_EQ(value_of("State", entry), "RUNNING");
  EXPECT_EQ(value_of("End", entry), "Unknown");
  entry.state = msg::ComputesetState::hibernated;
  EXPECT_EQ(value_of("State", entry), "SUSPENDED");
}

TEST(UsageText, NamesTheUserOfAGatewayWithoutASeparator) {
  auto entry = an_entry();
  entry.on_behalf_of = "Ada | L.\n";
  EXPECT_EQ(value_of("JobName", entry), "Ada _ L._");
  EXPECT_EQ(value_of("User", entry), "gateway");
  entry.node_list.clear();
  EXPECT_EQ(value_of("NodeList", entry), "demo");
}

TEST(UsageText, QuotesCsvAndDefusesFormulas) {
  EXPECT_EQ(csv_line({"", "a,b", "say \"x\"", "2"}), ",\"a,b\",\"say \"\"x\"\"\",2\n");
  const Json entries = {{{"name", "=1+1"}, {"n", -1}}, {{"name", ""}, {"n", 2}}};
  EXPECT_EQ(csv_lines(entries, {"name", "n"}), "'=1+1,-1\n,2\n") << "a number is no formula";
}

}  // namespace
}  // namespace nucleus::gateway
