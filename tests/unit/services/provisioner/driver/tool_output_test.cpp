// What is parsed from the output of measuring tools, and the ratios of replayed runs.
#include "services/provisioner/driver/tool_output.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "services/overhead/statistics.hpp"

namespace nucleus::provisioner {
namespace {

using msg::OutputFormat;

constexpr const char* probe_output =
    R"({"hosts":["vm-c-00","vm-c-01"],"latency_us":1998.10,"bandwidth_mb_s":174.8,)"
    R"("program":"nucleus-pingpong 3, Open MPI v4.1.4","ranks":[)"
    R"({"host":"vm-c-00","boot_id":"b627dfa1","network":"4026531833"},)"
    R"({"host":"vm-c-01","boot_id":"0cc7f8aa","network":"4026531840"}],)"
    R"("latency_8_us":1996.443,"allreduce_us":27.552,"barrier_us":20.950,"alltoall_us":4091.561})";

constexpr const char* links_output =
    R"({"program":"nucleus-pingpong 3, Open MPI v4.1.4","ranks":[)"
    R"({"host":"vm-c-00","boot_id":"b627dfa1","network":"4026531833"},)"
    R"({"host":"vm-c-01","boot_id":"0cc7f8aa","network":"4026531840"},)"
    R"({"host":"vm-c-02","boot_id":"7d1e6f02","network":"4026531841"}],)"
    R"("link_latency_us":[1084.168,1948.022,39.941],)"
    R"("link_bandwidth_mb_s":[136.158,173.883,3707.135]})";

constexpr const char* fio_output = R"(fio: a note before the JSON
{"fio version":"fio-3.33","jobs":[
 {"jobname":"sequential_read","error":0,"read":{"iops":760.2,"bw_bytes":797169166}},
 {"jobname":"sequential_write","error":0,"write":{"iops":977.0,"bw_bytes":1024458752}},
 {"jobname":"random_read","error":0,"read":{"iops":5948.155533}},
 {"jobname":"random_write","error":0,"write":{"iops":5030.969031}},
 {"jobname":"sync_write","error":0,"write":{"iops":268.4,"clat_ns":{"mean":3700000.5,
  "percentile":{"50.000000":3981312,"99.000000":9000000}}}}]})";

constexpr const char* osu_latency = R"(# OSU MPI Latency Test v7.2
# Size          Latency (us)
# Datatype: MPI_CHAR.
0                       1.05
8                       1.12
4194304               423.71
)";
constexpr const char* osu_allreduce = R"(
# OSU MPI Allreduce Latency Test v5.9
# Size       Avg Latency(us)   Min Latency(us)   Max Latency(us)  Iterations
4                       3.12              2.98              3.26        1000
)";
constexpr const char* osu_barrier = R"(# OSU MPI Barrier Latency Test v5.9
# Avg Latency(us)
            2.71
)";

constexpr const char* imb_output = R"(#------------------------------------------------------------
#    Intel(R) MPI Benchmarks 2021.3, MPI-1 part
#------------------------------------------------------------
#---------------------------------------------------
# Benchmarking PingPong
# #processes = 2
#---------------------------------------------------
       #bytes #repetitions      t[usec]   Mbytes/sec
            0         1000         0.91         0.00
            8         1000         0.98         8.17
      4194304           10       412.50     10168.00

#----------------------------------------------------------------
# Benchmarking Allreduce
# #processes = 2
#----------------------------------------------------------------
       #bytes #repetitions  t_min[usec]  t_max[usec]  t_avg[usec]
            4         1000         1.21         1.29         1.25

# Benchmarking Barrier
 #repetitions  t_min[usec]  t_max[usec]  t_avg[usec]
         1000         0.81         0.83         0.82
)";

constexpr const char* hpcc_output = R"(Begin of Summary section.
VersionMajor=1
Success=1
HPL_Tflops=0.00840212
StarSTREAM_Triad=12.7312
MaxPingPongLatency_usec=1.23978
sizeof_char=1
Begin of Something else
End of Summary section.
)";

std::string pwx_output(const std::string& cpu, const std::string& wall, bool is_done = true) {
  return "     Program PWSCF v.6.7MaX starts on 29Nov2026 at 12: 0: 0\n"
         "!    total energy              =     -63.40951981 Ry\n"
         "     h_psi        :      4.19s CPU      7.08s WALL (     355 calls)\n"
         "     General routines\n"
         "     PWSCF        : " +
         cpu + " CPU " + wall + " WALL\n" + (is_done ? "   JOB DONE.\n" : "");
}

double figure(OutputFormat format, const std::string& text, const std::string& name) {
  const auto output = parse_output(format, text);
  EXPECT_TRUE(output) << output.error().detail;
  if (!output || !output->figures.contains(name)) return -1;
  return output->figures.find(name)->second;
}

TEST(ToolOutput, OfTheProbeHasTheRanks) {
  const auto output = parse_output(OutputFormat::probe, probe_output);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->program, "nucleus-pingpong 3, Open MPI v4.1.4");
  ASSERT_EQ(output->ranks.size(), 2U);
  EXPECT_EQ(output->ranks[1].host, "vm-c-01");
  EXPECT_EQ(output->ranks[1].boot_id, "0cc7f8aa");
  const auto samples = samples_of(*msg::find_tool("mpi"), *output);
  ASSERT_TRUE(samples);
  ASSERT_EQ(samples->size(), 5U);
  EXPECT_EQ((*samples)[0].measurement, "mpi_latency");
  EXPECT_EQ((*samples)[0].value, 1996.443);
  EXPECT_EQ((*samples)[4].measurement, "mpi_alltoall");
  EXPECT_EQ((*samples)[4].value, 4091.561);
}

TEST(ToolOutput, OfAnOlderProbeLacksOnlyTheNewFigure) {
  std::string older = probe_output;
  const std::string alltoall = R"(,"alltoall_us":4091.561)";
  older.erase(older.find(alltoall), alltoall.size());
  const auto samples =
      samples_of(*msg::find_tool("mpi"), *parse_output(OutputFormat::probe, older));
  ASSERT_TRUE(samples);
  EXPECT_EQ(samples->size(), 4U);
  const auto none = samples_of(*msg::find_tool("mpi"), {.figures = {{"latency_us", 1}}});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().detail, "the tool printed no figures: mpi_latency is missing");
}

TEST(ToolOutput, OfLinksHasOneValueForEachPairOfRanks) {
  const auto run = parse_links(links_output, 3);
  ASSERT_TRUE(run) << run.error().detail;
  EXPECT_EQ(run->conditions.program, "nucleus-pingpong 3, Open MPI v4.1.4");
  ASSERT_EQ(run->ranks.size(), 3U);
  EXPECT_EQ(run->ranks[2].boot_id, "7d1e6f02");
  EXPECT_EQ(run->latencies_us, (std::vector{1084.168, 1948.022, 39.941}));
  EXPECT_EQ(run->bandwidths_mb_s, (std::vector{136.158, 173.883, 3707.135}));
}

TEST(ToolOutput, OfLinksIsRefusedUnlessItIsComplete) {
  EXPECT_EQ(parse_links(probe_output, 2).error().detail,
            "the image has an older nucleus-pingpong, without links");
  EXPECT_EQ(parse_links(links_output, 4).error().detail,
            "the tool printed no figures: 3 ranks instead of 4");
  const std::string whole = links_output;
  const auto changed = [&](const std::string& from, const std::string& to) {
    auto text = whole;
    return text.replace(text.find(from), from.size(), to);
  };
  for (const auto& text : {changed("1084.168,", ""), changed("1084.168", "-1"),
                           changed("1084.168", "\"1\""), changed("[136.158,173.883,3707.135]", "7"),
                           changed("3707.135", "1e13"), changed("3707.135", "3707.135,1"),
                           changed("7d1e6f02", "a\\u001b[2J"), whole.substr(0, 300), std::string()})
    EXPECT_FALSE(parse_links(text, 3)) << text;
  EXPECT_FALSE(parse_links(std::string(tool_output_bytes_max + 1, '{'), 3));
}

TEST(ToolOutput, OfFioHasEachJobInTheUnitOfItsRow) {
  const auto output = parse_output(OutputFormat::fio, fio_output);
  ASSERT_TRUE(output) << output.error().detail;
  EXPECT_EQ(output->program, "fio-3.33");
  const auto samples = samples_of(*msg::find_tool("storage"), *output);
  ASSERT_TRUE(samples) << samples.error().detail;
  std::map<std::string, double> values;
  for (const auto& sample : *samples) values[sample.measurement] = sample.value;
  EXPECT_NEAR(values["sequential_read"], 797.169166, 1e-9);
  EXPECT_NEAR(values["sequential_write"], 1024.458752, 1e-9);
  EXPECT_EQ(values["random_write"], 5030.969031);
  EXPECT_NEAR(values["sync_write"], 3981.312, 1e-9);
}

TEST(ToolOutput, OfAFailedJobIsRefused) {
  EXPECT_FALSE(parse_output(OutputFormat::fio,
                            R"({"jobs":[{"jobname":"a","error":28,"read":{"iops":1}}]})"));
}

TEST(ToolOutput, OfOsuHasTheFirstColumnBySize) {
  EXPECT_EQ(figure(OutputFormat::osu, osu_latency, "8"), 1.12);
  EXPECT_EQ(figure(OutputFormat::osu, osu_latency, "4194304"), 423.71);
  EXPECT_EQ(figure(OutputFormat::osu, osu_allreduce, "4"), 3.12);
  EXPECT_EQ(figure(OutputFormat::osu, osu_barrier, "value"), 2.71);
}

TEST(ToolOutput, OfImbHasEachBenchmark) {
  EXPECT_EQ(figure(OutputFormat::imb, imb_output, "PingPong/8/t[usec]"), 0.98);
  EXPECT_EQ(figure(OutputFormat::imb, imb_output, "PingPong/4194304/Mbytes/sec"), 10168);
  EXPECT_EQ(figure(OutputFormat::imb, imb_output, "Allreduce/4/t_avg[usec]"), 1.25);
  EXPECT_EQ(figure(OutputFormat::imb, imb_output, "Barrier/t_avg[usec]"), 0.82);
}

TEST(ToolOutput, OfHpccNeedsSuccess) {
  EXPECT_EQ(figure(OutputFormat::hpcc, hpcc_output, "StarSTREAM_Triad"), 12.7312);
  EXPECT_FALSE(parse_output(OutputFormat::hpcc, "Success=0\nHPL_Tflops=1\n"));
  EXPECT_FALSE(parse_output(OutputFormat::hpcc, "HPL_Tflops=1\n"));
}

TEST(ToolOutput, OfPwxHasTimesOfEachLength) {
  EXPECT_EQ(figure(OutputFormat::pwx, pwx_output("6.89s", "11.54s"), "PWSCF/wall"), 11.54);
  EXPECT_EQ(figure(OutputFormat::pwx, pwx_output("6.89s", "11.54s"), "h_psi/cpu"), 4.19);
  EXPECT_NEAR(figure(OutputFormat::pwx, pwx_output("4m20.00s", "4m24.53s"), "PWSCF/wall"), 264.53,
              1e-9);
  EXPECT_NEAR(figure(OutputFormat::pwx, pwx_output("3h 2m", "3h 3m"), "PWSCF/wall"), 10'980, 1e-9);
  EXPECT_NEAR(figure(OutputFormat::pwx, pwx_output("1m 1.5s", "1m 2.5s"), "PWSCF/wall"), 62.5,
              1e-9);
  EXPECT_EQ(figure(OutputFormat::pwx, pwx_output("1s", "1s"), "energy_ry"), -63.40951981);
}

TEST(ToolOutput, OfPwxHasTheRanksThatWerePrintedBeforeIt) {
  const auto output = parse_output(OutputFormat::pwx,
                                   "rank 1 n2 b-2 4026531841\nrank 0 n1 b-1 4026531840\nrank n3\n" +
                                       pwx_output("1.15s", "1.45s"));
  ASSERT_TRUE(output) << output.error().detail;
  ASSERT_EQ(output->ranks.size(), 2U);
  EXPECT_EQ(output->ranks[1].host, "n2");
  EXPECT_EQ(output->ranks[1].boot_id, "b-2");
  EXPECT_EQ(output->ranks[1].network, "4026531841");
  const auto samples = samples_of(*msg::find_tool("silicon"), *output);
  ASSERT_TRUE(samples);
  ASSERT_EQ(samples->size(), 1U);
  EXPECT_EQ(samples->front().measurement, "silicon_time");
  EXPECT_EQ(samples->front().value, 1.45);
}

TEST(ToolOutput, OfPwxIsRefusedIfTheRunDidNotEnd) {
  EXPECT_EQ(parse_output(OutputFormat::pwx, pwx_output("1s", "1s", false)).error().detail,
            "pw.x did not end: no JOB DONE");
}

/// Runs of pw.x whose virtual times are longer by `ratio`, replayed from what pw.x prints.
msg::Figure replay(double ratio) {
  msg::Figure figure{.direction = msg::Direction::smaller,
                     .kind = msg::FigureKind::application,
                     .half_width_max = 0.01,
                     .threshold = 1.08};
  std::mt19937_64 random{28};
  for (int i = 0; i < 16; ++i) {
    std::normal_distribution<> noise(1, 0.0005);
    const auto time = [&](double seconds) {
      const double noisy = seconds * noise(random);
      const int minutes = static_cast<int>(noisy) / 60;
      const auto text = fmt::format("{}m{:5.2f}s", minutes, noisy - 60 * minutes);
      const auto output = parse_output(OutputFormat::pwx, pwx_output(text, text));
      EXPECT_TRUE(output);
      return output ? output->figures.find("PWSCF/wall")->second : 0;
    };
    figure.native.push_back(time(270));
    figure.virtual_.push_back(time(270 * ratio));
  }
  overhead::judge(figure, 16);
  return figure;
}

TEST(ToolOutput, ReplayedRunsOfQuantumEspressoHaveThePublishedOverhead) {
  const auto first = replay(1.28);
  EXPECT_NEAR((first.ratio.median - 1) * 100, 28, 0.1);
  EXPECT_EQ(first.verdict, msg::Verdict::exceeded);
  const auto tuned = replay(1.08);
  EXPECT_NEAR((tuned.ratio.median - 1) * 100, 8, 0.1);
  const auto better = replay(1.07);
  EXPECT_EQ(better.verdict, msg::Verdict::within);
}

TEST(ToolOutput, WithoutFiguresIsRefused) {
  for (const auto format :
       {OutputFormat::probe, OutputFormat::fio, OutputFormat::osu, OutputFormat::imb,
        OutputFormat::hpcc, OutputFormat::pwx, OutputFormat::unknown})
    for (const std::string text :
         {"", "{", "{}", "[1]", "null", "\n\n\n", "# only a comment\n", "nan inf 1e999\n",
          R"({"jobs":{}})", R"({"jobs":[null,1,{"jobname":1}]})", R"({"latency_8_us":"1"})"})
      EXPECT_FALSE(parse_output(format, text)) << msg::name_of(format) << ": " << text;
}

TEST(ToolOutput, IsBounded) {
  EXPECT_FALSE(parse_output(OutputFormat::osu, std::string(tool_output_bytes_max + 1, '1')));
  std::string deep = R"({"a":)";
  for (int i = 0; i < 10'000; ++i) deep += R"({"a":)";
  EXPECT_FALSE(parse_output(OutputFormat::probe, deep + "1" + std::string(10'001, '}')));
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += fmt::format("{} 1.5\n", i);
  EXPECT_EQ(parse_output(OutputFormat::osu, many)->figures.size(), tool_figures_max);
  std::string ranks = R"({"x":1,"ranks":[{})";
  for (int i = 0; i < 1'000; ++i) ranks += ",{}";
  EXPECT_EQ(parse_output(OutputFormat::probe, ranks + "]}")->ranks.size(), msg::ranks_max);
}

TEST(ToolOutput, FiguresOutOfRangeAndUnprintableNamesAreRefused) {
  const auto& memory = *msg::find_tool("memory");
  for (const char* value : {"0", "-1", "1e13", "1e308"}) {
    const auto output =
        parse_output(OutputFormat::probe, fmt::format(R"({{"triad_mb_s":{}}})", value));
    ASSERT_TRUE(output) << value;
    EXPECT_FALSE(samples_of(memory, *output)) << value;
  }
  EXPECT_FALSE(parse_output(OutputFormat::probe, R"({"triad_mb_s":1,"program":"a\u001b[2J"})"));
  EXPECT_FALSE(parse_output(OutputFormat::probe, R"({"x":1,"ranks":[{"host":"a\nb"}]})"));
}

TEST(ToolOutput, OfRandomBytesIsParsedOrRefused) {
  std::mt19937_64 random{5};
  const std::string parts[] = {probe_output,
                               links_output,
                               fio_output,
                               osu_latency,
                               imb_output,
                               hpcc_output,
                               pwx_output("4m24.53s", "5m24.53s")};
  for (int i = 0; i < 3'000; ++i) {
    std::string text = parts[random() % std::size(parts)];
    for (int change = 0; change < 4; ++change)
      text[random() % text.size()] = static_cast<char>(random());
    text.resize(random() % (text.size() + 1));
    for (const auto format : {OutputFormat::probe, OutputFormat::fio, OutputFormat::osu,
                              OutputFormat::imb, OutputFormat::hpcc, OutputFormat::pwx})
      (void)parse_output(format, text);
    (void)parse_links(text, 3);
  }
}

}  // namespace
}  // namespace nucleus::provisioner
