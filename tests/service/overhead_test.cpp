// The overhead service on a real bus and Redis with fake runs, against its README: the order of the
// runs, certificates and their signatures, slow links, and that accepted measurements are carried
// out.
#include "messages/overhead.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

#include <atomic>
#include <ctime>
#include <limits>
#include <mutex>

#include "messages/registry.hpp"
#include "services/overhead/certificate_text.hpp"
#include "services/overhead/service.hpp"
#include "tests/support/rooms.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;

/// State that the stand-ins share with the test.
struct Site {
  std::mutex mutex = {};
  std::vector<std::string> runs = {};  // in the order they ran
  std::atomic<int> in_progress = 0;
  std::atomic<bool> were_two_at_a_time = false;
  std::atomic<int> computes_active = 2;
  std::atomic<bool> is_node_lost = false;
  std::atomic<bool> is_mpi_missing = false;  // on the host
  std::atomic<bool> is_second_host = false;  // the second compute runs there
  std::atomic<double> node_value = 300;      // of every figure in a node; 100 on the host
  std::atomic<double> bad_latency_us = 100;  // of the links of the last node; 100 of the others

  std::vector<std::string> seen() {
    const std::scoped_lock lock(mutex);
    return runs;
  }
};

constexpr int nodes_of_cluster = 5;

/// Stands in for registry and scheduler: cluster c has a frontend and four computes.
struct Lists {
  Site& site;
  Lists(core::Runtime& runtime, Site& known) : site{known} {
    runtime.bus.serve<msg::ListNodes>(*this, &Lists::nodes);
    runtime.bus.serve<msg::ListNodeStatuses>(*this, &Lists::states);
  }
  core::Result<msg::Nodes> nodes(const msg::ListNodes& request, core::Context&) {
    msg::Nodes whole{.cluster = {.cluster_id = request.cluster_id, .project_id = {"p"}}};
    for (int i = 0; i < nodes_of_cluster; ++i)
      whole.nodes.push_back({.node_id = {"n" + std::to_string(i)},
                             .name = "node" + std::to_string(i),
                             .kind = i == 0 ? msg::NodeKind::frontend : msg::NodeKind::compute,
                             .index = static_cast<std::uint32_t>(i)});
    return whole;
  }
  core::Result<msg::NodeStatuses> states(const msg::ListNodeStatuses&, core::Context&) {
    msg::NodeStatuses all;
    for (int i = 0; i < nodes_of_cluster; ++i)
      all.nodes.push_back(
          {.node_id = {"n" + std::to_string(i)},
           .state = i <= site.computes_active ? msg::NodeState::active : msg::NodeState::shutoff,
           .host_id = {i == 2 && site.is_second_host ? "h2" : "h1"},
           .ports = {{.ip = "172.30.0.9", .is_public = true},
                     {.ip = "10.0.0." + std::to_string(i + 1)}}});
    return all;
  }
};

/// Stands in for the host's provisioner.
struct Runs {
  Site& site;
  core::Loop& loop;
  Runs(core::Runtime& runtime, Site& known) : site{known}, loop{runtime.loop} {
    runtime.bus.serve_later<msg::RunMeasurement>(*this, &Runs::run);
    runtime.bus.serve_later<msg::RunLinks>(*this, &Runs::run_links);
  }
  void run_links(const msg::RunLinks& request, core::Context&,
                 core::Responder<msg::LinksRun> respond) {
    if (++site.in_progress > 1) site.were_two_at_a_time = true;
    const auto count = request.peers.size();
    msg::LinksRun result{.conditions = {.accelerator = "tcg", .program = "nucleus-pingpong 3"}};
    std::string what = "node " + request.node_id.value + " links";
    for (const auto& peer : request.peers) {
      what += " " + peer;
      result.ranks.push_back({.host = peer, .boot_id = "boot-" + peer, .network = "net"});
    }
    {
      const std::scoped_lock lock(site.mutex);
      site.runs.push_back(what);
    }
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = i + 1; j < count; ++j) {
        result.latencies_us.push_back(j + 1 == count ? site.bad_latency_us.load() : 100);
        result.bandwidths_mb_s.push_back(50);
      }
    loop.after(core::Milliseconds{5}, [this, result, respond] {
      --site.in_progress;
      if (site.is_node_lost)
        return respond(core::refuse(ErrorCode::wrong_state, "The VM is not running"));
      respond(result);
    });
  }
  void run(const msg::RunMeasurement& request, core::Context&,
           core::Responder<msg::MeasurementRun> respond) {
    if (++site.in_progress > 1) site.were_two_at_a_time = true;
    const bool is_native = request.node_id.empty();
    std::string what =
        (is_native ? "host " + request.host_id.value : "node " + request.node_id.value) + " " +
        request.tool;
    for (const auto& peer : request.peers) what += " " + peer;
    {
      const std::scoped_lock lock(site.mutex);
      site.runs.push_back(what);
    }
    msg::MeasurementRun result{
        .conditions = {.accelerator = is_native ? "native" : "tcg", .program = "tool 1"},
        .boot_id = is_native ? "host" : "node"};
    for (const auto& row : msg::measurements)
      if (row.tool == request.tool)
        result.samples.push_back({std::string(row.name), is_native ? 100 : site.node_value.load()});
    const bool is_one = is_native && !site.is_second_host;
    for (const char* rank : {"1", "2"})
      result.ranks.push_back({.host = "r", .boot_id = is_one ? "1" : rank, .network = "net"});
    // Takes some time, so that a second run at the same time would be noticed.
    loop.after(core::Milliseconds{5}, [this, result, respond, request, is_native] {
      --site.in_progress;
      if (site.is_node_lost && !is_native)
        return respond(core::refuse(ErrorCode::wrong_state, "The VM is not running"));
      if (site.is_mpi_missing && is_native && request.tool == "mpi")
        return respond(core::refuse(ErrorCode::wrong_state, "no MPI probe"));
      respond(result);
    });
  }
};

class Overhead : public testing::Test {
 protected:
  void start(std::map<std::string, std::string> settings = {{"overhead.pairs_max", "8"}}) {
    service_.reset();
    const std::string key_file = folder_.path() + "/signing.key";
    service_ = std::make_unique<Process>(
        deployment_, "overhead", std::move(settings),
        [key_file](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          auto config = overhead::Config::from(runtime.settings);
          if (!config) return std::unexpected(config.error());
          auto key = overhead::SigningKey::open(key_file);
          if (!key) return std::unexpected(key.error());
          return std::make_shared<overhead::Service>(runtime, *config, *key);
        });
  }
  /// Measures the cluster, and returns its report.
  msg::OverheadReport measure(std::uint32_t seconds_max = 0) {
    EXPECT_TRUE(ask(msg::MeasureCluster{.cluster_id = {"c"}, .seconds_max = seconds_max}));
    const auto measured = events_.next<msg::OverheadMeasured>();
    EXPECT_TRUE(measured);
    return measured ? measured->report : msg::OverheadReport{};
  }
  /// Measures the links of the cluster, and returns the report.
  msg::LinksReport measure_links() {
    EXPECT_TRUE(ask(msg::MeasureLinks{.cluster_id = {"c"}}));
    EXPECT_TRUE(events_.next<msg::LinksMeasured>());
    return ask(msg::GetLinks{{"c"}}).value_or(msg::LinksReport{});
  }
  template <class Room>
  Process::Build with() {
    return [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
      return std::make_shared<Room>(runtime, site_);
    };
  }
  template <class Request>
  core::Result<typename Request::Reply> ask(const Request& request) {
    return caller_.call(request, {.deadline = wait_timeout});
  }

  TemporaryFolder folder_ = {};
  Site site_ = {};
  Deployment deployment_ = {};
  Events events_{deployment_};
  StandIn registry_{deployment_, "registry", with<Lists>()};
  StandIn scheduler_{deployment_, "scheduler", with<Lists>()};
  StandIn host_{deployment_, "provisioner/h1", with<Runs>()};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> service_ = {};
};

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
  EXPECT_EQ(certificate->figures.size(), msg::measurements.size());
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

TEST_F(Overhead, FindsTheNodeWhoseLinksAreSlow) {
  start();
  site_.computes_active = 4;
  site_.is_second_host = true;
  auto report = measure_links();
  EXPECT_EQ(report.failure, "");
  EXPECT_EQ(report.project_id.value, "p");
  EXPECT_EQ(report.conditions.accelerator, "tcg");
  EXPECT_EQ(report.links.size(), 6U);
  EXPECT_EQ(report.shared_node, "");
  EXPECT_EQ(site_.seen(), std::vector<std::string>{"node n1 links node1 node2 node3 node4"})
      << "one run, from the first active compute";
  site_.bad_latency_us = 900;
  report = measure_links();
  EXPECT_EQ(report.shared_node, "node4");
  for (const auto& link : report.links) EXPECT_EQ(link.is_slow, link.second == "node4");
  EXPECT_FALSE(report.links[0].is_same_host) << "node1 is on h1, node2 on h2";
  start();
  EXPECT_EQ(*ask(msg::GetLinks{{"c"}}), report) << "after a restart";
}

TEST_F(Overhead, TakesTheFactorOfSlowLinksFromItsSettings) {
  start({{"overhead.slow_link_permille", "10000"}});
  site_.computes_active = 4;
  site_.bad_latency_us = 300;
  EXPECT_EQ(measure_links().shared_node, "");
  EXPECT_EQ(ask(msg::GetLinks{{"c"}})->slow_permille, 10'000U);
}

TEST_F(Overhead, ReportsWhyTheLinksWereNotMeasured) {
  start();
  EXPECT_EQ(ask(msg::GetLinks{{"c"}}).error().code, ErrorCode::not_found);
  EXPECT_EQ(ask(msg::MeasureLinks{{"../c"}}).error().code, ErrorCode::invalid_argument);
  site_.computes_active = 1;
  EXPECT_EQ(measure_links().failure, "two active compute nodes are needed for a measurement");
  site_.computes_active = 2;
  site_.is_node_lost = true;
  const auto report = measure_links();
  EXPECT_EQ(report.failure, "The VM is not running");
  EXPECT_TRUE(report.links.empty());
}

TEST_F(Overhead, RefusesFiguresOfLinksThatAreOutOfRange) {
  start();
  for (const double value : {0.0, -1.0, 1e13, std::numeric_limits<double>::quiet_NaN()}) {
    site_.bad_latency_us = value;
    EXPECT_EQ(measure_links().failure, "latencies_us must be above 0, up to 1e12") << value;
  }
}

TEST_F(Overhead, RunsLinksAndAMeasurementOfAClusterOneAfterTheOther) {
  start({{"overhead.pairs_max", "2"}, {"overhead.tools", "mpi"}});
  ASSERT_TRUE(ask(msg::MeasureCluster{{"c"}}));
  ASSERT_TRUE(ask(msg::MeasureLinks{{"c"}}));
  ASSERT_TRUE(eventually([&] { return !site_.seen().empty(); }));
  EXPECT_EQ(measure().failure, "") << "one more is accepted";
  EXPECT_TRUE(eventually([&] { return ask(msg::GetLinks{{"c"}}).has_value(); }));
  EXPECT_TRUE(eventually([&] { return ask(msg::GetReport{{"c"}}).has_value(); }));
  EXPECT_FALSE(site_.were_two_at_a_time);
}

TEST_F(Overhead, RunsAcceptedLinksAfterARestart) {
  start();
  ASSERT_TRUE(ask(msg::MeasureLinks{{"c"}}));
  start();
  const auto measured = events_.next<msg::LinksMeasured>();
  ASSERT_TRUE(measured);
  EXPECT_EQ(measured->failure, "");
  EXPECT_EQ(measured->links, 1U);
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
  EXPECT_EQ(series["nucleus_overhead_ratio"], msg::measurements.size());
  EXPECT_EQ(series["nucleus_overhead_verdicts_total"], msg::measurements.size());
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
