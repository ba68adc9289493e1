// The overhead service against its README: the order of the runs, certificates and their
// signatures, and that accepted measurements are carried out.
#include <sodium.h>

#include <algorithm>
#include <ctime>
#include <limits>
#include <set>

#include "services/overhead/certificate_text.hpp"
#include "tests/service/overhead_room.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;

using Overhead = OverheadRoom;

/// The figures of the tools that run unless others are named.
std::size_t usual_figures() {
  return static_cast<std::size_t>(std::ranges::count_if(
      msg::measurements,
      [](const msg::Measurement& row) { return !msg::find_tool(row.tool)->is_optional; }));
}

TEST_F(Overhead, MeasuresInBlocksAndNeverTwoRunsAtATime) {
  start({{"overhead.pairs_max", "2"}, {"overhead.tools", "mpi,memory"}});
  const auto report = measure();
  EXPECT_EQ(report.failure, "");
  EXPECT_EQ(report.project_id.value, "p");
  EXPECT_EQ(report.accelerator, "tcg");
  EXPECT_DOUBLE_EQ(report.mpi_latency_ratio, 3.0) << "the cluster is three times slower";
  EXPECT_DOUBLE_EQ(report.mpi_cluster.latency_us, 300);
  EXPECT_DOUBLE_EQ(report.io_ratio, 0) << "storage is not among the tools";
  EXPECT_EQ(site_.seen(),
            (std::vector<std::string>{
                "host h1 mpi", "node n1 mpi node1 node2", "node n1 mpi node1 node2", "host h1 mpi",
                "host h1 mpi", "host h1 mpi", "host h1 memory", "node n1 memory", "node n1 memory",
                "host h1 memory", "host h1 memory", "host h1 memory"}))
      << "the first two active computes; both ranks on their host";
  EXPECT_FALSE(site_.were_two_at_a_time);
  const auto stored = ask(msg::GetReport{{"c"}});
  ASSERT_TRUE(stored);
  EXPECT_EQ(*stored, report);
}

TEST_F(Overhead, RunsTheToolsThatARequestNamesAlsoAfterARestart) {
  start({{"overhead.pairs_max", "2"}});
  for (const std::vector<std::string>& tools :
       {std::vector<std::string>{"none"}, std::vector<std::string>{"mpi", "memory", "mpi"}}) {
    const auto refused = ask(msg::MeasureCluster{.cluster_id = {"c"}, .tools = tools});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().field, "tools");
  }
  ASSERT_TRUE(ask(msg::MeasureCluster{.cluster_id = {"c"}, .tools = {"silicon", "memory"}}));
  start({{"overhead.pairs_max", "2"}});
  ASSERT_TRUE(events_.next<msg::OverheadMeasured>());
  const auto certificate = ask(msg::GetCertificate{.cluster_id = {"c"}});
  ASSERT_TRUE(certificate) << certificate.error().detail;
  std::set<std::string> measured;
  for (const auto& figure : certificate->figures) measured.insert(figure.measurement);
  EXPECT_EQ(measured, (std::set<std::string>{"silicon_time", "memory_triad"}));
}

TEST_F(Overhead, RunsNativeRanksOnTheHostsOfTheNodes) {
  site_.is_second_host = true;
  start({{"overhead.pairs_max", "2"}, {"overhead.tools", "mpi"}});
  EXPECT_EQ(measure().failure, "");
  EXPECT_EQ(site_.seen().front(), "host h1 mpi h1 h2");
  const auto certificate = ask(msg::GetCertificate{.cluster_id = {"c"}});
  ASSERT_TRUE(certificate);
  EXPECT_FALSE(certificate->is_single_host);
  EXPECT_EQ(certificate->hosts, (std::vector<msg::HostId>{{"h1"}, {"h2"}}));
}

TEST_F(Overhead, KeepsASignedCertificateWithAllSamples) {
  start();
  const auto report = measure();
  const auto certificate = ask(msg::GetCertificate{.cluster_id = {"c"}});
  ASSERT_TRUE(certificate) << certificate.error().detail;
  EXPECT_EQ(certificate->certificate_id, report.certificate_id);
  EXPECT_TRUE(certificate->is_single_host);
  EXPECT_EQ(certificate->figures.size(), usual_figures());
  for (const auto& figure : certificate->figures) {
    EXPECT_EQ(figure.native.size(), 8U);
    EXPECT_EQ(figure.virtual_.size(), 8U);
    const bool is_larger = figure.direction == msg::Direction::larger;
    EXPECT_EQ(figure.verdict, is_larger ? msg::Verdict::within : msg::Verdict::exceeded);
  }
  const auto key = ask(msg::GetSigningKey{});
  ASSERT_TRUE(key);
  EXPECT_EQ(key->algorithm, "ed25519");
  EXPECT_EQ(key->public_key, certificate->public_key);
  const auto bytes = [](const std::string& hex) {
    std::vector<unsigned char> read(hex.size() / 2);
    (void)sodium_hex2bin(read.data(), read.size(), hex.data(), hex.size(), nullptr, nullptr,
                         nullptr);
    return read;
  };
  const auto text = overhead::canonical_text(*certificate);
  EXPECT_EQ(crypto_sign_verify_detached(bytes(certificate->signature).data(),
                                        reinterpret_cast<const unsigned char*>(text.data()),
                                        text.size(), bytes(key->public_key).data()),
            0);
}

TEST_F(Overhead, ListsTheLastCertificatesNewestFirst) {
  start({{"overhead.pairs_max", "2"},
         {"overhead.tools", "memory"},
         {"overhead.certificates_max", "2"}});
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(measure().certificate_id);
    // Ids begin with the second in which they were made.
    const auto second = std::time(nullptr);
    ASSERT_TRUE(eventually([&] { return std::time(nullptr) > second; }));
  }
  const auto first = ask(msg::ListCertificates{.cluster_id = {"c"}, .page = {.limit = 1}});
  ASSERT_TRUE(first);
  ASSERT_EQ(first->certificates.size(), 1U);
  EXPECT_EQ(first->certificates[0].certificate_id, ids[2]);
  EXPECT_EQ(first->certificates[0].figures.size(), 1U);
  const auto second =
      ask(msg::ListCertificates{.cluster_id = {"c"}, .page = {.limit = 1, .after = first->next}});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->certificates.at(0).certificate_id, ids[1]);
  EXPECT_EQ(second->next, "") << "only two are kept";
  EXPECT_EQ(ask(msg::GetCertificate{{"c"}, ids[0]}).error().code, ErrorCode::not_found);
  start();
  EXPECT_EQ(ask(msg::GetCertificate{{"c"}})->certificate_id, ids[2]) << "after a restart";
}

TEST_F(Overhead, LeavesNoCertificateIfANodeIsLost) {
  start();
  site_.computes_active = 1;
  EXPECT_EQ(measure().failure, "two active compute nodes are needed for a measurement");
  site_.computes_active = 3;
  site_.is_node_lost = true;
  const auto report = measure();
  EXPECT_EQ(report.failure, "The VM is not running");
  EXPECT_EQ(report.certificate_id, "");
  EXPECT_DOUBLE_EQ(report.mpi_latency_ratio, 0);
  EXPECT_EQ(ask(msg::GetCertificate{{"c"}}).error().code, ErrorCode::not_found);
}

TEST_F(Overhead, RefusesTheFiguresOfAToolThatFails) {
  start();
  site_.is_mpi_missing = true;
  const auto report = measure();
  EXPECT_EQ(report.failure, "");
  EXPECT_DOUBLE_EQ(report.mpi_latency_ratio, 0);
  EXPECT_DOUBLE_EQ(report.io_ratio, 3);
  const auto certificate = ask(msg::GetCertificate{{"c"}});
  ASSERT_TRUE(certificate);
  EXPECT_EQ(certificate->figures[0].verdict, msg::Verdict::refused);
  EXPECT_EQ(certificate->figures[0].reason, "no MPI probe");
}

TEST_F(Overhead, RefusesTheReportOfAClusterThatWasNeverMeasured) {
  start();
  EXPECT_EQ(ask(msg::GetReport{{"c"}}).error().code, ErrorCode::not_found);
  EXPECT_EQ(ask(msg::GetCertificate{{"c"}}).error().code, ErrorCode::not_found);
  EXPECT_TRUE(ask(msg::ListCertificates{{"c"}})->certificates.empty());
  EXPECT_EQ(ask(msg::MeasureCluster{{"../c"}}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(ask(msg::MeasureCluster{{"c"}, 86'401}).error().code, ErrorCode::invalid_argument);
}

TEST_F(Overhead, RunsAcceptedMeasurementsAfterARestart) {
  start();
  ASSERT_TRUE(ask(msg::MeasureCluster{{"c"}}));
  ASSERT_TRUE(eventually([&] { return !site_.seen().empty(); }));
  start();
  const auto measured = events_.next<msg::OverheadMeasured>();
  ASSERT_TRUE(measured);
  EXPECT_EQ(measured->report.failure, "");
  EXPECT_EQ(ask(msg::ListCertificates{{"c"}})->certificates.size(), 1U);
}

TEST_F(Overhead, RemovesWhatItKeepsOfARemovedCluster) {
  start();
  measure();
  measure_links();
  ASSERT_TRUE(
      registry_.emit(msg::ClusterRemoved{.cluster = {.cluster_id = {"c"}, .project_id = {"p"}}}));
  EXPECT_TRUE(eventually([&] { return !ask(msg::GetReport{{"c"}}).has_value(); }));
  EXPECT_TRUE(ask(msg::ListCertificates{{"c"}})->certificates.empty());
  EXPECT_EQ(ask(msg::GetLinks{{"c"}}).error().code, ErrorCode::not_found);
}

TEST_F(Overhead, ShowsItsResultsAsMetrics) {
  start();
  measure();
  std::map<std::string, std::size_t> series;
  for (const auto& family : service_->metrics().Collect())
    if (family.name.starts_with("nucleus_overhead_")) series[family.name] = family.metric.size();
  EXPECT_EQ(series["nucleus_overhead_measurements_total"], 1U);
  EXPECT_EQ(series["nucleus_overhead_mpi_latency_seconds"], 2U) << "in the cluster, on the host";
  EXPECT_EQ(series["nucleus_overhead_ratio"], usual_figures());
  EXPECT_EQ(series["nucleus_overhead_verdicts_total"], usual_figures());
}

TEST_F(Overhead, LetsNoFigureOutOfRangeIntoAReplyOrAMetric) {
  start();
  for (const double value : {1e308, -1.0, 0.0, 1.1e12, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()}) {
    site_.node_value = value;
    EXPECT_NE(measure().failure, "") << value;
  }
  site_.node_value = 1e12;
  const auto report = measure();
  EXPECT_EQ(report.failure, "");
  for (const auto* result :
       {&report.mpi_cluster, &report.mpi_host, &report.io_cluster, &report.io_host})
    EXPECT_FALSE(msg::check(*result).has_value());
  for (const auto& family : service_->metrics().Collect()) {
    if (!family.name.starts_with("nucleus_overhead_")) continue;
    for (const auto& metric : family.metric)
      EXPECT_TRUE(metric.gauge.value >= 0 && metric.gauge.value <= 1e15) << family.name;
  }
}

}  // namespace
}  // namespace nucleus::tests
