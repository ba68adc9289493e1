// The order of a measurement's runs, what it compares, and what it refuses to compare.
#include "services/overhead/campaign.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "services/overhead/statistics.hpp"

namespace nucleus::overhead {
namespace {

using msg::Verdict;

/// A run of the memory or MPI tool on two hosts; every figure has this value.
msg::MeasurementRun a_run(const Turn& turn, double value) {
  msg::MeasurementRun run{.conditions = {.accelerator = turn.is_native ? "native" : "tcg",
                                         .network = turn.is_native ? "native" : "virtio",
                                         .cpus = 1,
                                         .kernel = turn.is_native ? "6.1.0-host" : "6.1.0-guest",
                                         .program = "nucleus-pingpong 2"},
                          .boot_id = turn.is_native ? "boot-of-host" : "boot-of-node"};
  for (const auto& row : msg::measurements)
    if (row.tool == turn.tool->name)
      run.samples.push_back({.measurement = std::string(row.name), .value = value});
  const std::string who = turn.is_native ? "host" : "node";
  for (const char* number : {"1", "2"})
    run.ranks.push_back({.host = who + number, .boot_id = who + number, .network = "4026531833"});
  return run;
}

struct Ended {
  std::string order = {};  // N and V
  std::vector<msg::Figure> figures = {};
};

/// Runs a campaign to its end; `value` makes the value of the n-th run.
Ended run_all(Campaign& campaign, const std::function<double(const Turn&, int)>& value) {
  Ended ended;
  for (int i = 0; i < 10'000; ++i) {
    const auto turn = campaign.next(false);
    if (!turn) break;
    ended.order += turn->is_native ? 'N' : 'V';
    campaign.add(a_run(*turn, value(*turn, i)));
  }
  ended.figures = campaign.figures();
  return ended;
}

double steady(const Turn& turn, int run) {
  return (turn.is_native ? 100 : 110) + run % 3 / 1'000.0;
}

Campaign a_campaign(const std::vector<std::string>& tools, bool is_single_host = false,
                    std::size_t pairs_max = 8) {
  return {{.pairs_max = pairs_max}, is_single_host, tools};
}

TEST(Campaign, RunsPairsInOppositeOrderThenNativeAgainstNative) {
  auto campaign = a_campaign({"mpi"});
  const auto ended = run_all(campaign, steady);
  EXPECT_EQ(ended.order, "NVVNNNNVVNNNNVVNNNNVVNNN") << "eight pairs are four blocks";
  ASSERT_EQ(ended.figures.size(), 5U);
  const auto& latency = ended.figures[0];
  EXPECT_EQ(latency.measurement, "mpi_latency");
  EXPECT_EQ(latency.native.size(), 8U);
  EXPECT_EQ(latency.virtual_.size(), 8U);
  EXPECT_EQ(latency.noise_first.size(), 4U);
  EXPECT_EQ(latency.noise_second.size(), 4U);
  EXPECT_NEAR(latency.ratio.median, 1.1, 1e-3);
  EXPECT_EQ(latency.verdict, Verdict::within);
  EXPECT_EQ(latency.virtual_conditions.accelerator, "tcg");
  EXPECT_EQ(latency.native_ranks.size(), 2U);
}

TEST(Campaign, PairsWhatRanOneAfterTheOther) {
  auto campaign = a_campaign({"memory"}, false, 2);
  const auto ended = run_all(campaign, [](const Turn&, int run) { return run + 1.0; });
  const auto& figure = ended.figures[0];
  EXPECT_EQ(figure.native, (std::vector<double>{1, 4}));
  EXPECT_EQ(figure.virtual_, (std::vector<double>{2, 3}));
  EXPECT_EQ(figure.noise_first, (std::vector<double>{5}));
  EXPECT_EQ(figure.noise_second, (std::vector<double>{6}));
}

TEST(Campaign, TakesToolsInTurnsAndEndsTheBlockWhenTheTimeIsOver) {
  auto campaign = a_campaign({"mpi", "memory"}, false, 64);
  std::string order;
  int runs = 0;
  while (const auto turn = campaign.next(runs > 14)) {
    order += turn->tool->name == "mpi" ? 'm' : 't';
    campaign.add(a_run(*turn, steady(*turn, runs++)));
  }
  EXPECT_EQ(order, "mmmmmmttttttmmmmmm");
  for (const auto& figure : campaign.figures()) {
    EXPECT_EQ(figure.verdict, Verdict::undecided);
    EXPECT_NE(figure.reason.find("the next verdict is at 8"), std::string::npos) << figure.reason;
  }
  EXPECT_EQ(campaign.failure(), "");
}

TEST(Campaign, GivesEachToolABlockThoughTheTimeIsOver) {
  auto campaign = a_campaign({"mpi", "memory"}, false, 64);
  int runs = 0;
  while (const auto turn = campaign.next(true)) campaign.add(a_run(*turn, steady(*turn, runs++)));
  EXPECT_EQ(runs, 12);
}

TEST(Campaign, RepeatsRunsUntilTheIntervalIsNarrow) {
  std::mt19937_64 random{11};
  std::normal_distribution<> noise(0, 0.02);
  auto campaign = a_campaign({"memory"}, false, 512);
  const auto ended = run_all(campaign, [&](const Turn& turn, int) {
    return (turn.is_native ? 100 : 95) * std::exp(noise(random));
  });
  const auto& figure = ended.figures[0];
  EXPECT_GT(figure.native.size(), first_look_pairs);
  EXPECT_LT(figure.native.size(), 512U);
  EXPECT_EQ(figure.verdict, Verdict::within);
  EXPECT_LE(relative_half_width(figure.ratio), 0.01);
}

/// The reason for which the first runs are refused.
std::string refused(bool is_single_host,
                    const std::function<void(const Turn&, int, msg::MeasurementRun&)>& change,
                    const char* tool = "mpi") {
  auto campaign = a_campaign({tool}, is_single_host);
  int runs = 0;
  while (const auto turn = campaign.next(false)) {
    auto run = a_run(*turn, 5);
    change(*turn, runs++, run);
    campaign.add(run);
  }
  for (const auto& figure : campaign.figures()) {
    if (figure.verdict != Verdict::refused) return "";
    EXPECT_EQ(figure.ratio, msg::Interval{});
  }
  EXPECT_EQ(campaign.failure(), campaign.figures().front().reason);
  return campaign.figures().front().reason;
}

TEST(Campaign, RefusesTwoRanksOnOneHost) {
  const auto on_one = [](bool is_native) {
    return [is_native](const Turn& turn, int, msg::MeasurementRun& run) {
      if (turn.is_native == is_native) run.ranks[1] = run.ranks[0];
    };
  };
  EXPECT_EQ(refused(false, on_one(true)), "two native ranks ran on host host1");
  EXPECT_EQ(refused(false, on_one(false)), "two ranks ran on node node1");
  EXPECT_EQ(refused(true, on_one(false)), "two ranks ran on node node1");
  EXPECT_EQ(refused(true, on_one(true)), "") << "the cluster itself is on one host";
  EXPECT_EQ(refused(true, [](const Turn&, int, msg::MeasurementRun&) {}),
            "the nodes are on one host, the native ranks on several");
}

TEST(Campaign, TakesNamespacesOfOneMachineForHosts) {
  EXPECT_EQ(refused(false,
                    [](const Turn& turn, int, msg::MeasurementRun& run) {
                      if (!turn.is_native) return;
                      run.ranks[1].boot_id = run.ranks[0].boot_id;
                      run.ranks[1].network = "4026532222";
                    }),
            "");
}

TEST(Campaign, RefusesRanksThatDoNotSayWhereTheyAre) {
  EXPECT_EQ(refused(false, [](const Turn&, int, msg::MeasurementRun& run) { run.ranks.clear(); }),
            "the ranks do not report their hosts");
  EXPECT_EQ(refused(false, [](const Turn&, int,
                              msg::MeasurementRun& run) { run.ranks[1].boot_id.clear(); }),
            "a rank does not report its host");
  EXPECT_EQ(refused(false,
                    [](const Turn& turn, int, msg::MeasurementRun& run) {
                      if (turn.is_native) run.ranks.push_back({"host3", "host3", "1"});
                    }),
            "2 ranks in the cluster, 3 on the hosts");
}

TEST(Campaign, RefusesToCompareUnlikeWithUnlike) {
  EXPECT_EQ(refused(
                false,
                [](const Turn& turn, int, msg::MeasurementRun& run) {
                  if (turn.is_native) run.conditions.program = "fio-3.36";
                },
                "storage"),
            "the cluster ran nucleus-pingpong 2, the host fio-3.36");
  EXPECT_EQ(refused(false, [](const Turn&, int,
                              msg::MeasurementRun& run) { run.conditions.program.clear(); }),
            "the tool does not report its version");
  EXPECT_EQ(refused(false,
                    [](const Turn&, int run_number, msg::MeasurementRun& run) {
                      if (run_number == 7) run.conditions.kernel = "6.2.0";
                    }),
            "the conditions of the node changed during the measurement");
  EXPECT_EQ(refused(false,
                    [](const Turn&, int run_number, msg::MeasurementRun& run) {
                      if (run_number == 3) run.boot_id = "another";
                    }),
            "the host was restarted during the measurement");
}

TEST(Campaign, RefusesOnlyTheFigureThatAnOlderProgramLacks) {
  auto campaign = a_campaign({"mpi"});
  int runs = 0;
  while (const auto turn = campaign.next(false)) {
    auto run = a_run(*turn, steady(*turn, runs++));
    run.conditions.program = turn->is_native ? "nucleus-pingpong 3, Open MPI v4.1.4"
                                             : "nucleus-pingpong 2, Open MPI v4.1.4";
    if (!turn->is_native) run.samples.pop_back();
    campaign.add(run);
  }
  EXPECT_EQ(runs, 24);
  EXPECT_EQ(campaign.failure(), "");
  const auto figures = campaign.figures();
  ASSERT_EQ(figures.back().measurement, "mpi_alltoall");
  EXPECT_EQ(figures.back().verdict, Verdict::refused);
  EXPECT_EQ(figures.back().reason, "mpi_alltoall is missing: the program in the image is older");
  for (std::size_t i = 0; i + 1 < figures.size(); ++i)
    EXPECT_EQ(figures[i].verdict, Verdict::within) << figures[i].measurement;
}

TEST(Campaign, ComparesTwoVersionsOfTheProbeOnlyIfBothMeasureAlike) {
  EXPECT_EQ(compared_program("nucleus-pingpong 2, Open MPI v4.1.4"),
            compared_program("nucleus-pingpong 3, Open MPI v4.1.4"));
  for (const char* other : {"nucleus-pingpong 1, Open MPI v4.1.4", "nucleus-pingpong 20",
                            "nucleus-pingpong 2, Open MPI v4.1.5", "fio-3.33"})
    EXPECT_NE(compared_program(other), compared_program("nucleus-pingpong 3, Open MPI v4.1.4"));
}

TEST(Campaign, GoesOnWithTheOtherToolsIfOneFails) {
  auto campaign = a_campaign({"mpi", "memory"});
  int runs = 0;
  while (const auto turn = campaign.next(false)) {
    if (turn->tool->name == "mpi")
      campaign.refuse("mpirun is not installed");
    else
      campaign.add(a_run(*turn, steady(*turn, runs++)));
  }
  EXPECT_EQ(runs, 24);
  EXPECT_EQ(campaign.failure(), "");
  EXPECT_EQ(campaign.figures().front().reason, "mpirun is not installed");
  EXPECT_EQ(campaign.figures().back().verdict, Verdict::within);
}

/// Native against native through the whole campaign: how often an interval excludes 1.
TEST(Campaign, FindsNoDifferenceBetweenAHostAndItself) {
  std::mt19937_64 random{2026};
  std::normal_distribution<> noise(0, 0.015);
  int differs = 0;
  constexpr int campaigns = 400;
  for (int i = 0; i < campaigns; ++i) {
    auto campaign = a_campaign({"memory"}, false, 64);
    const auto figure = run_all(campaign, [&](const Turn&, int) {
                          return 100 * std::exp(noise(random));
                        }).figures[0];
    differs += figure.ratio.low > 1 || figure.ratio.high < 1;
  }
  EXPECT_LE(differs, campaigns * error_max);
}

}  // namespace
}  // namespace nucleus::overhead
