// The overhead service on a real bus and Redis, with stand-ins for the services it calls.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "messages/overhead.hpp"
#include "messages/registry.hpp"
#include "services/overhead/service.hpp"
#include "tests/support/rooms.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::tests {

/// State that the stand-ins share with the test.
struct OverheadSite {
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

inline constexpr int nodes_of_cluster = 5;

/// Stands in for registry and scheduler: cluster c has a frontend and four computes.
struct OverheadLists {
  OverheadSite& site;
  OverheadLists(core::Runtime& runtime, OverheadSite& known) : site{known} {
    runtime.bus.serve<msg::ListNodes>(*this, &OverheadLists::nodes);
    runtime.bus.serve<msg::ListNodeStatuses>(*this, &OverheadLists::states);
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
struct OverheadRuns {
  OverheadSite& site;
  core::Loop& loop;
  OverheadRuns(core::Runtime& runtime, OverheadSite& known) : site{known}, loop{runtime.loop} {
    runtime.bus.serve_later<msg::RunMeasurement>(*this, &OverheadRuns::run);
    runtime.bus.serve_later<msg::RunLinks>(*this, &OverheadRuns::run_links);
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
        return respond(core::refuse(core::ErrorCode::wrong_state, "The VM is not running"));
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
        return respond(core::refuse(core::ErrorCode::wrong_state, "The VM is not running"));
      if (site.is_mpi_missing && is_native && request.tool == "mpi")
        return respond(core::refuse(core::ErrorCode::wrong_state, "no MPI probe"));
      respond(result);
    });
  }
};

class OverheadRoom : public testing::Test {
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
  OverheadSite site_ = {};
  Deployment deployment_ = {};
  Events events_{deployment_};
  StandIn registry_{deployment_, "registry", with<OverheadLists>()};
  StandIn scheduler_{deployment_, "scheduler", with<OverheadLists>()};
  StandIn host_{deployment_, "provisioner/h1", with<OverheadRuns>()};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> service_ = {};
};

}  // namespace nucleus::tests
