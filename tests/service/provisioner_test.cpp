// The provisioner's README on a real bus, Redis and threads: what the scheduler is told of a host
// while its hypervisor is busy.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/loop/posix_loop.hpp"
#include "services/provisioner/service.hpp"
#include "tests/support/fake_hypervisor.hpp"
#include "tests/support/process.hpp"

namespace nucleus::tests {
namespace {

using Built = core::Result<std::shared_ptr<void>>;

/// Stands for the scheduler: takes heartbeats and lets the test wait for them.
struct Heartbeats {
  std::mutex mutex = {};
  std::condition_variable changed = {};
  std::vector<msg::ReportHost> taken = {};

  core::Result<msg::HostLease> take(const msg::ReportHost& report, core::Context&) {
    const std::scoped_lock lock{mutex};
    taken.push_back(report);
    changed.notify_all();
    return msg::HostLease{.lease_ms = 60'000, .revision = 0};
  }
  /// The reports from the `first` one on, once there are `count` of them.
  std::vector<msg::ReportHost> wait(std::size_t first, std::size_t count) {
    std::unique_lock lock{mutex};
    EXPECT_TRUE(changed.wait_for(lock, patience, [&] { return taken.size() >= first + count; }));
    return {taken.begin() + static_cast<std::ptrdiff_t>(std::min(first, taken.size())),
            taken.end()};
  }
  bool wait_reachable() {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, patience,
                            [&] { return !taken.empty() && taken.back().is_reachable; });
  }
  std::size_t count() {
    const std::scoped_lock lock{mutex};
    return taken.size();
  }
};

TEST(Provisioner, ItsHostStaysReachableWhileEveryWorkerCreatesADomain) {
  Deployment deployment;
  Heartbeats heartbeats;
  const Process scheduler(deployment, "scheduler", {}, [&](core::Runtime& runtime) -> Built {
    runtime.bus.serve<msg::ReportHost>(heartbeats, &Heartbeats::take);
    return std::make_shared<int>(0);
  });
  const auto hypervisor = std::make_shared<provisioner::FakeHypervisor>();
  std::promise<void> let_go;
  hypervisor->hold_creates(let_go.get_future().share());
  provisioner::Config config;
  config.hosts = {{"h0"}};
  config.is_simulated = true;
  config.heartbeat_ms = 20;
  config.ping_ms = 20;
  const Process provisioner(deployment, "provisioner/h0", {}, [&](core::Runtime& runtime) -> Built {
    return std::make_shared<provisioner::Service>(runtime, config, hypervisor,
                                                  std::make_shared<core::ThreadWorkers>(1));
  });
  ASSERT_TRUE(heartbeats.wait_reachable());

  msg::ApplyGrants grants{.host_id = {"h0"}, .revision = 1, .is_complete = true};
  for (int i = 0; i < 8; ++i)
    grants.grants.push_back({.node_id = {"n" + std::to_string(i)},
                             .cluster_id = {"c"},
                             .project_id = {"p"},
                             .node_name = "n" + std::to_string(i),
                             .epoch = 1,
                             .revision = 1,
                             .is_on = true,
                             .cpus = 1,
                             .memory_mb = 64});
  Process caller(deployment, "caller");
  ASSERT_TRUE(caller.call(grants, {.to = "provisioner/h0"}));
  // Longer than a ping may take: those that wait behind the creates would have failed by then.
  const auto needed = static_cast<std::size_t>(2 * config.ping_deadline_ms / config.heartbeat_ms);
  for (const auto& report : heartbeats.wait(heartbeats.count(), needed))
    EXPECT_TRUE(report.is_reachable) << report.reason;
  let_go.set_value();
}

}  // namespace
}  // namespace nucleus::tests
