// A view with hosts and clusters of a test's own, on which plans are made and applied as the ledger
// does, without a store.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "services/scheduler/embedded_backend.hpp"
#include "services/scheduler/plan/allocations.hpp"
#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/definitions.hpp"
#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/domains.hpp"
#include "services/scheduler/plan/hosts.hpp"
#include "services/scheduler/plan/pass.hpp"
#include "services/scheduler/plan/power.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/plan/start.hpp"
#include "services/scheduler/statuses.hpp"
#include "tests/support/clusters.hpp"

namespace nucleus::scheduler {

inline Config small_config() {
  Config config;
  config.cpu_overcommit = 1;
  return config;
}

using tests::as_operator;

constexpr std::int64_t minute_s = 60;

struct SmallDeployment {
  View view{small_config()};
  EmbeddedBackend backend = {};
  std::int64_t now_unix_ms = 1'000'000'000;
  int submitted_count = 0;  // by `submit`

  std::int64_t now_unix_s() const { return now_unix_ms / 1000; }
  void pass_time_s(std::int64_t seconds) { now_unix_ms += seconds * 1000; }

  /// Applies a plan; the view must stay right. Returns what its events show.
  Shown apply(Plan plan) {
    auto shown = shown_by(view, plan.changes);
    view.apply(std::move(plan.changes));
    EXPECT_EQ(view.check(), std::vector<std::string>{});
    return shown;
  }
  Shown pass() { return apply(plan_pass(view, backend, now_unix_ms)); }

  void add_host(const std::string& host, std::uint32_t cpus, std::uint64_t memory_mb = 100'000) {
    apply(plan_host_report(
        view,
        {.host_id = {host}, .process = "provisioner/" + host, .cpus = cpus, .memory_mb = memory_mb},
        now_unix_ms));
  }
  /// A host that keeps the disks of its nodes.
  void add_host_with_volumes(const std::string& host, std::uint32_t cpus) {
    apply(plan_host_report(view,
                           {.host_id = {host},
                            .process = "provisioner/" + host,
                            .cpus = cpus,
                            .memory_mb = 100'000,
                            .keeps_volumes = true},
                           now_unix_ms));
  }
  void drain(const std::string& host, bool is_drained = true) {
    apply(*plan_drain(view, {.host_id = {host}, .is_drained = is_drained}, now_unix_ms));
  }
  void lose(const std::string& host) {
    const Heartbeats::Overdue overdue{.silent = {{host}}, .expired = {{host}}};
    for (int look = 0; look < 2; ++look) apply(plan_overdue_hosts(view, overdue, now_unix_ms));
  }

  msg::Node definition(const std::string& cluster, std::uint32_t index, std::uint32_t cpus = 1,
                       std::uint64_t memory_mb = 512) const {
    return {.node_id = {cluster + "-" + std::to_string(index)},
            .cluster_id = {cluster},
            .project_id = {"p"},
            .name = index == 0 ? cluster : "vm-" + cluster + "-" + std::to_string(index),
            .kind = index == 0 ? msg::NodeKind::frontend : msg::NodeKind::compute,
            .index = index,
            .cpus = cpus,
            .memory_mb = memory_mb};
  }
  void define(const msg::Node& node) { apply(plan_node_defined(view, {node}, now_unix_ms)); }
  /// A cluster whose nodes have their ports and volumes.
  void add_cluster(const std::string& cluster, std::uint32_t computes, std::uint32_t cpus = 1,
                   const std::string& allocation = "a") {
    apply(plan_project_defined(view, {{"p"}}, now_unix_ms));
    apply(plan_cluster_defined(
        view,
        {.cluster = {.cluster_id = {cluster}, .project_id = {"p"}, .allocations = {{allocation}}}},
        now_unix_ms));
    for (std::uint32_t i = 0; i <= computes; ++i) {
      const auto node = definition(cluster, i, cpus);
      define(node);
      give_ports(node.node_id);
      give_volume(node.node_id);
    }
  }
  void give_ports(const msg::NodeId& id) {
    apply(plan_ports(view,
                     {.node_id = id, .ports = {{.mac = "52:54:00:00:00:01", .ip = "10.0.0.1"}}},
                     now_unix_ms));
  }
  void give_volume(const msg::NodeId& id, bool is_ready = true) {
    apply(plan_volume(view, {.volume = {.node_id = id}, .is_ready = is_ready}, now_unix_ms));
  }

  void give_disk(const msg::NodeId& id) {
    apply(plan_volume(
        view,
        {.volume = {.node_id = id, .path = "/volumes/" + id.value, .disk_bytes = 1 << 30},
         .is_ready = true},
        now_unix_ms));
  }

  core::Result<msg::ComputesetId> start(msg::StartComputeset request) {
    request.viewer = as_operator;
    auto plan = plan_start(view, backend, request, now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    apply(std::move(*plan));
    return view.computeset_count();
  }
  msg::ComputesetId start(const std::string& cluster, std::uint32_t count) {
    const auto id = start({.cluster_id = {cluster}, .count = count, .walltime_mins = 60});
    EXPECT_TRUE(id) << id.error().detail;
    return id.value_or(0);
  }
  /// A computeset of a new cluster.
  msg::ComputesetId submit(std::uint32_t nodes, std::uint32_t cpus, std::int64_t walltime_mins,
                           const std::string& reservation = {}) {
    const std::string cluster = "k" + std::to_string(++submitted_count);
    add_cluster(cluster, nodes, cpus);
    const auto id = start({.cluster_id = {cluster},
                           .count = nodes,
                           .walltime_mins = walltime_mins,
                           .reservation = reservation});
    EXPECT_TRUE(id) << id.error().detail;
    return id.value_or(0);
  }
  core::Result<Shown> power(const std::string& node, msg::PowerAction action) {
    auto plan = plan_power_node(
        view, {.node = {.node_id = {node}}, .viewer = as_operator, .action = action}, now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    return apply(std::move(*plan));
  }
  core::Result<Shown> power(const std::vector<std::string>& names, msg::PowerAction action) {
    auto plan = plan_power_nodes(
        view, {.cluster_id = {"c"}, .viewer = as_operator, .nodes = names, .action = action},
        now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    return apply(std::move(*plan));
  }
  void end(msg::ComputesetId id, msg::PowerAction action = msg::PowerAction::poweroff) {
    apply(*plan_power_computeset(
        view, {.computeset_id = id, .viewer = as_operator, .action = action}, now_unix_ms));
  }
  /// The domain of a placed node is observed in another state.
  Shown observe(const std::string& id, msg::DomainState state, std::int64_t seen_unix_ms = 0) {
    return apply(plan_domain_report(view, a_report({{id, state, seen_unix_ms}}), now_unix_ms));
  }
  /// Its host reports that it cannot start the node.
  void fail_start(const std::string& id, const std::string& reason = "no space left") {
    auto report = a_report({{id, msg::DomainState::absent}});
    report.changes.front().reason = "cannot be started: " + reason;
    apply(plan_domain_report(view, report, now_unix_ms));
  }
  struct Observed {
    std::string node = {};
    msg::DomainState state = msg::DomainState::unknown;
    std::int64_t seen_unix_ms = 0;
  };
  /// The next report of the provisioner of the first node's host.
  msg::ReportDomains a_report(const std::vector<Observed>& changes) const {
    const auto& process = view.host(node(changes.front().node).host_id)->process;
    const auto* known = view.reporter(process);
    msg::ReportDomains report{
        .process = process, .log_id = "log", .first_number = known ? known->number + 1 : 1};
    for (const auto& [id, state, seen_unix_ms] : changes)
      report.changes.push_back({.host_id = node(id).host_id,
                                .node_id = {id},
                                .epoch = node(id).epoch,
                                .state = state,
                                .last_seen_unix_ms = seen_unix_ms});
    return report;
  }

  /// Defines a reservation that begins and ends this long from now; without a project, a
  /// maintenance window.
  struct Times {
    std::int64_t start_s = 0;
    std::int64_t end_s = 0;
  };
  core::Result<Shown> reserve(const std::string& name, const std::string& hosts, Times times,
                              const std::string& project = "p") {
    return define_reservation({.name = name,
                               .is_new = true,
                               .project_id = msg::ProjectId{project},
                               .hosts = hosts,
                               .start_unix_s = now_unix_s() + times.start_s,
                               .end_unix_s = now_unix_s() + times.end_s});
  }
  core::Result<Shown> define_reservation(const msg::DefineReservation& request) {
    auto plan = plan_reservation(view, request, now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    return apply(std::move(*plan));
  }
  core::Result<Shown> remove_reservation(const std::string& name) {
    auto plan = plan_remove_reservation(view, {.name = name}, now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    return apply(std::move(*plan));
  }
  /// What is due at this time: ends of walltimes, reservations, and a pass.
  void sweep() {
    apply(plan_reservation_steps(view, now_unix_ms));
    apply(plan_walltime_ends(view, now_unix_ms));
    pass();
  }
  /// The domains of nodes that are being stopped end.
  void end_stopping() {
    std::vector<std::string> stopping;
    for (const auto& [host_id, host] : view.hosts())
      for (const auto& id : view.nodes_on(host_id))
        if (!node(id.value).is_grant_on) stopping.push_back(id.value);
    for (const auto& id : stopping) observe(id, msg::DomainState::shutoff);
  }

  const StoredNode& node(const std::string& id) const { return *view.node({id}); }
  std::string host_of(const std::string& id) const { return node(id).host_id.value; }
  const StoredComputeset& computeset(msg::ComputesetId id) const { return *view.computeset(id); }
  Resources used(const std::string& host) const { return view.pool().find({host})->used; }
};

/// Cluster `c` with two computes, and a host that is large enough.
struct OneCluster : testing::Test {
  OneCluster() {
    small.add_host("h1", 64);
    small.add_cluster("c", 2);
  }
  SmallDeployment small = {};
};

}  // namespace nucleus::scheduler
