// The overhead service on a real bus and Redis with fake probes, against its README: the order of
// the probes, the ratios, and that accepted measurements are carried out.
#include "messages/overhead.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <mutex>

#include "messages/registry.hpp"
#include "services/overhead/service.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;

/// State that the stand-ins share with the test.
struct Site {
  std::mutex mutex = {};
  std::vector<std::string> probes = {};  // in the order they ran
  std::atomic<int> in_progress = 0;
  std::atomic<bool> were_two_at_a_time = false;
  std::atomic<int> computes_active = 2;
  std::atomic<bool> is_probe_failing = false;
  std::atomic<double> node_figure = 1'000;  // of every probe in a node
  std::atomic<double> host_latency_us = 10;

  std::vector<std::string> seen() {
    const std::scoped_lock lock(mutex);
    return probes;
  }
};

/// Stands in for registry and scheduler: cluster c has a frontend and three computes.
struct Lists {
  Site& site;
  Lists(core::Runtime& runtime, Site& known) : site{known} {
    runtime.bus.serve<msg::ListNodes>(*this, &Lists::nodes);
    runtime.bus.serve<msg::ListNodeStatuses>(*this, &Lists::states);
  }
  core::Result<msg::Nodes> nodes(const msg::ListNodes& request, core::Context&) {
    msg::Nodes whole{.cluster = {.cluster_id = request.cluster_id, .project_id = {"p"}}};
    for (int i = 0; i < 4; ++i)
      whole.nodes.push_back({.node_id = {"n" + std::to_string(i)},
                             .name = "node" + std::to_string(i),
                             .kind = i == 0 ? msg::NodeKind::frontend : msg::NodeKind::compute,
                             .index = static_cast<std::uint32_t>(i)});
    return whole;
  }
  core::Result<msg::NodeStatuses> states(const msg::ListNodeStatuses&, core::Context&) {
    msg::NodeStatuses all;
    for (int i = 0; i < 4; ++i)
      all.nodes.push_back(
          {.node_id = {"n" + std::to_string(i)},
           .state = i <= site.computes_active ? msg::NodeState::active : msg::NodeState::shutoff,
           .host_id = {"h1"},
           .ports = {{.ip = "172.30.0.9", .is_public = true},
                     {.ip = "10.0.0." + std::to_string(i + 1)}}});
    return all;
  }
};

/// Stands in for the host's provisioner.
struct Probes {
  Site& site;
  core::Loop& loop;
  Probes(core::Runtime& runtime, Site& known) : site{known}, loop{runtime.loop} {
    runtime.bus.serve_later<msg::ProbeNode>(*this, &Probes::in_node);
    runtime.bus.serve_later<msg::ProbeHost>(*this, &Probes::on_host);
  }
  void in_node(const msg::ProbeNode& request, core::Context&,
               core::Responder<msg::ProbeResult> respond) {
    std::string peers;
    for (const auto& peer : request.peers) peers += " " + peer.name + "=" + peer.ip;
    answer("node " + request.node_id.value + " " + std::string(msg::name_of(request.probe)) + peers,
           {.latency_us = 30, .bandwidth_mb_s = 500, .operations_per_s = site.node_figure},
           respond);
  }
  void on_host(const msg::ProbeHost& request, core::Context&,
               core::Responder<msg::ProbeResult> respond) {
    answer("host " + request.host_id.value + " " + std::string(msg::name_of(request.probe)),
           {.latency_us = site.host_latency_us, .bandwidth_mb_s = 1'000, .operations_per_s = 4'000},
           respond);
  }
  void answer(const std::string& what, const msg::ProbeResult& result,
              const core::Responder<msg::ProbeResult>& respond) {
    if (++site.in_progress > 1) site.were_two_at_a_time = true;
    {
      const std::scoped_lock lock(site.mutex);
      site.probes.push_back(what);
    }
    // Takes some time, so that a second probe at the same time would be noticed.
    loop.after(core::Milliseconds{20}, [this, result, respond] {
      --site.in_progress;
      if (site.is_probe_failing)
        return respond(core::refuse(ErrorCode::unavailable, "the guest has no agent yet"));
      respond(result);
    });
  }
};

class Overhead : public testing::Test {
 protected:
  void start(std::map<std::string, std::string> settings = {}) {
    service_.reset();
    service_ = std::make_unique<Process>(
        deployment_, "overhead", std::move(settings),
        [](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          auto config = overhead::Config::from(runtime.settings);
          if (!config) return std::unexpected(config.error());
          return std::make_shared<overhead::Service>(runtime, *config);
        });
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

  Site site_ = {};
  Deployment deployment_ = {};
  Events events_{deployment_};
  StandIn registry_{deployment_, "registry", with<Lists>()};
  StandIn scheduler_{deployment_, "scheduler", with<Lists>()};
  StandIn host_{deployment_, "provisioner/h1", with<Probes>()};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> service_ = {};
};

TEST_F(Overhead, MeasuresTheClusterThenItsHostAndNeverBothAtATime) {
  start();
  ASSERT_TRUE(ask(msg::MeasureCluster{{"c"}}));
  const auto measured = events_.next<msg::OverheadMeasured>();
  ASSERT_TRUE(measured);
  const auto& report = measured->report;
  EXPECT_EQ(report.failure, "");
  EXPECT_EQ(report.project_id.value, "p");
  EXPECT_DOUBLE_EQ(report.mpi_latency_ratio, 3.0) << "the cluster is three times slower";
  EXPECT_DOUBLE_EQ(report.mpi_bandwidth_ratio, 0.5) << "half the bandwidth";
  EXPECT_DOUBLE_EQ(report.io_ratio, 0.25);
  EXPECT_EQ(site_.seen(),
            (std::vector<std::string>{"node n1 mpi_pingpong node1=10.0.0.2 node2=10.0.0.3",
                                      "node n1 fio_random_read node1=10.0.0.2 node2=10.0.0.3",
                                      "host h1 mpi_pingpong", "host h1 fio_random_read"}))
      << "the first two active computes, by their private addresses";
  EXPECT_FALSE(site_.were_two_at_a_time);
  const auto stored = ask(msg::GetReport{{"c"}});
  ASSERT_TRUE(stored);
  EXPECT_EQ(*stored, report);
}

TEST_F(Overhead, ReportsWhyAMeasurementFailed) {
  start({{"overhead.probe_deadline_ms", "1000"}});
  site_.computes_active = 1;
  ASSERT_TRUE(ask(msg::MeasureCluster{{"c"}}));
  const auto too_few = events_.next<msg::OverheadMeasured>();
  ASSERT_TRUE(too_few);
  EXPECT_EQ(too_few->report.failure, "two active compute nodes are needed for a measurement");
  EXPECT_DOUBLE_EQ(too_few->report.mpi_latency_ratio, 0);
  site_.computes_active = 3;
  site_.is_probe_failing = true;
  ASSERT_TRUE(ask(msg::MeasureCluster{{"c"}}));
  const auto failed = events_.next<msg::OverheadMeasured>();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->report.failure, "provisioner/h1 did not answer in time");
}

TEST_F(Overhead, RefusesTheReportOfAClusterThatWasNeverMeasured) {
  start();
  EXPECT_EQ(ask(msg::GetReport{{"c"}}).error().code, ErrorCode::not_found);
  EXPECT_EQ(ask(msg::MeasureCluster{{"../c"}}).error().code, ErrorCode::invalid_argument);
}

TEST_F(Overhead, RunsAcceptedMeasurementsAfterARestart) {
  start();
  ASSERT_TRUE(ask(msg::MeasureCluster{{"c"}}));
  ASSERT_TRUE(eventually([&] { return !site_.seen().empty(); }));
  start();
  const auto measured = events_.next<msg::OverheadMeasured>();
  ASSERT_TRUE(measured);
  EXPECT_EQ(measured->report.failure, "");
  EXPECT_TRUE(ask(msg::GetReport{{"c"}}));
}

TEST_F(Overhead, RemovesTheReportOfARemovedCluster) {
  start();
  ASSERT_TRUE(ask(msg::MeasureCluster{{"c"}}));
  ASSERT_TRUE(events_.next<msg::OverheadMeasured>());
  ASSERT_TRUE(
      registry_.emit(msg::ClusterRemoved{.cluster = {.cluster_id = {"c"}, .project_id = {"p"}}}));
  EXPECT_TRUE(eventually([&] { return !ask(msg::GetReport{{"c"}}).has_value(); }));
}

TEST_F(Overhead, ShowsItsResultsAsMetrics) {
  start();
  ASSERT_TRUE(ask(msg::MeasureCluster{{"c"}}));
  ASSERT_TRUE(events_.next<msg::OverheadMeasured>());
  std::map<std::string, std::size_t> series;
  for (const auto& family : service_->metrics().Collect())
    if (family.name.starts_with("nucleus_overhead_")) series[family.name] = family.metric.size();
  EXPECT_EQ(series["nucleus_overhead_measurements_total"], 1U);
  EXPECT_EQ(series["nucleus_overhead_mpi_latency_seconds"], 2U) << "in the cluster, on the host";
  EXPECT_EQ(series["nucleus_overhead_ratio"], 3U);
}

TEST_F(Overhead, LetsNoFigureOutOfRangeIntoAReplyOrAMetric) {
  start();
  const auto measure = [&] {
    EXPECT_TRUE(ask(msg::MeasureCluster{{"c"}}));
    const auto measured = events_.next<msg::OverheadMeasured>();
    return measured ? measured->report : msg::OverheadReport{};
  };
  const auto check_all = [&](const msg::OverheadReport& report) {
    const auto reply = ask(msg::GetReport{{"c"}});
    ASSERT_TRUE(reply);
    for (const auto* shown : {&report, &*reply}) {
      for (const auto* result :
           {&shown->mpi_cluster, &shown->mpi_host, &shown->io_cluster, &shown->io_host})
        EXPECT_FALSE(msg::check(*result).has_value());
      for (const double ratio :
           {shown->mpi_latency_ratio, shown->mpi_bandwidth_ratio, shown->io_ratio})
        EXPECT_TRUE(ratio >= 0 && ratio <= 1e9) << ratio;
    }
    for (const auto& family : service_->metrics().Collect()) {
      if (!family.name.starts_with("nucleus_overhead_")) continue;
      for (const auto& metric : family.metric)
        EXPECT_TRUE(metric.gauge.value >= 0 && metric.gauge.value <= 1e15) << family.name;
    }
  };
  EXPECT_EQ(measure().failure, "");
  for (const double figure : {1e308, -1.0, 1.1e9, std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::infinity()}) {
    site_.node_figure = figure;
    const auto report = measure();
    EXPECT_EQ(report.failure, "operations_per_s must be 0 to 1e9") << figure;
    check_all(report);
  }
  site_.node_figure = 1e9;
  site_.host_latency_us = 1e-308;  // the quotient has no finite value
  const auto report = measure();
  EXPECT_EQ(report.failure, "");
  EXPECT_EQ(report.mpi_latency_ratio, 0);
  check_all(report);
}

}  // namespace
}  // namespace nucleus::tests
