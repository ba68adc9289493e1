// docs/journey.md, walked: one `start` from the words a person types to a node's login prompt. All
// rooms run in this process, each with its own loop, over a real redis-server and real ZeroMQ; the
// hypervisor and the disks are fakes, and a socket stands for QEMU's serial console.
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <iterator>
#include <mutex>

#include "client/config/session.hpp"
#include "client/shell/shell.hpp"
#include "gateway/service.hpp"
#include "services/console/service.hpp"
#include "services/image_store/driver/simulated_store.hpp"
#include "services/image_store/service.hpp"
#include "services/network/service.hpp"
#include "services/provisioner/service.hpp"
#include "services/registry/service.hpp"
#include "services/scheduler/service.hpp"
#include "tests/support/clusters.hpp"
#include "tests/support/console_socket.hpp"
#include "tests/support/fake_hypervisor.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/process.hpp"
#include "tests/support/viewer.hpp"

namespace nucleus::tests {
namespace {

using Built = core::Result<std::shared_ptr<void>>;
using Settings = std::map<std::string, std::string>;

/// Records the states of computesets, domains and nodes, in order.
class Recorder {
 public:
  explicit Recorder(core::Runtime& runtime) {
    runtime.bus.subscribe<msg::ComputesetChanged>(*this, &Recorder::see_computeset);
    runtime.bus.subscribe<msg::DomainChanged>(*this, &Recorder::see_domain);
    runtime.bus.subscribe<msg::NodeChanged>(*this, &Recorder::see_node);
  }

  /// All recorded states, once `last` was recorded `count` times or the deadline has passed.
  std::vector<std::string> reported_until(const std::string& last, std::ptrdiff_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, wait_timeout,
                      [&] { return std::ranges::count(states_, last) >= count; });
    return states_;
  }

 private:
  core::Result<void> see_computeset(const msg::ComputesetChanged& event, core::Context&) {
    return add("computeset " + std::string(msg::name_of(event.computeset.state)));
  }
  core::Result<void> see_domain(const msg::DomainChanged& event, core::Context&) {
    return add("domain " + std::string(msg::name_of(event.state)));
  }
  core::Result<void> see_node(const msg::NodeChanged& event, core::Context&) {
    if (event.node.computeset_id == 0) return {};  // while the cluster was being defined
    return add("node " + std::string(msg::name_of(event.node.state)));
  }
  core::Result<void> add(const std::string& what) {
    const std::scoped_lock lock(mutex_);
    states_.push_back(what);
    changed_.notify_all();
    return {};
  }

  std::mutex mutex_ = {};
  std::condition_variable changed_ = {};
  std::vector<std::string> states_ = {};
};

class Journey : public testing::Test {
 protected:
  template <class Room, class Config, class... More>
  static Process::Build build(More... more) {
    return [more...](core::Runtime& runtime) -> Built {
      auto config = Config::from(runtime.settings);
      if (!config) return std::unexpected(config.error());
      return std::make_shared<Room>(runtime, *config, more...);
    };
  }

  void SetUp() override {
    gateway_port_ = free_port();
    start("witness", {}, [this](core::Runtime& runtime) -> Built {
      return recorder_ = std::make_shared<Recorder>(runtime);
    });
    start("registry", {}, build<registry::Service, registry::Config>());
    start("network", {}, build<network::Service, network::Config>());
    start("image_store", {{"image_store.driver", "simulated"}},
          build<image_store::Service, image_store::Config>(
              std::make_shared<image_store::SimulatedStore>()));
    start("scheduler", {}, build<scheduler::Service, scheduler::Config>());
    start("provisioner/h1",
          {{"provisioner.host_id", "h1"},
           {"provisioner.accelerator", "tcg"},
           {"provisioner.state_directory", folder_.path()},
           {"provisioner.console_address", address(console_port_)}},
          build<provisioner::Service, provisioner::Config>(hypervisor_));
    start("console", {{"console.hosts_listen", address(console_port_)}},
          build<console::Service, console::Config>());
    start("gateway", {{"gateway.listen", address()}}, build<gateway::Service, gateway::Config>());
  }

  void start(const std::string& name, Settings settings, Process::Build build) {
    processes_.push_back(
        std::make_unique<Process>(deployment_, name, std::move(settings), std::move(build)));
  }

  std::string address() const { return address(gateway_port_); }
  static std::string address(int port) { return "127.0.0.1:" + std::to_string(port); }

  template <class Request>
  typename Request::Reply must(const Request& request) {
    auto reply = operator_.call(request, {.deadline = wait_timeout});
    if (!reply) throw std::runtime_error(reply.error().detail);
    return *reply;
  }

  /// Project p, a person of it, and cluster c1 with two computes.
  void define() {
    must(msg::DefineProject{{"p"}});
    must(msg::DefinePerson{.person = {.person_id = {"ada"}, .projects = {{"p"}}}});
    token_ = must(msg::IssueToken{{"ada"}}).token;
    must(msg::DefineCluster{
        .cluster_id = {"c1"}, .project_id = {"p"}, .allocations = {{"p"}}, .compute_count = 2});
  }

  /// What `comet WORDS` prints for the person of the token.
  std::string comet(const std::string& words) {
    client::Session session;
    session.use({.url = "http://" + address(), .token = token_});
    testing::internal::CaptureStdout();
    const int code = client::run_line(session, "comet " + words);
    const std::string printed = testing::internal::GetCapturedStdout();
    EXPECT_EQ(code, 0) << printed;
    return printed;
  }

  msg::Node node_named(const std::string& name) {
    return must(msg::ListNodes{.viewer = as_operator, .cluster_id = {"c1"}, .name = name})
        .nodes.at(0);
  }

  TemporaryFolder folder_ = {};
  std::shared_ptr<provisioner::FakeHypervisor> hypervisor_ =
      std::make_shared<provisioner::FakeHypervisor>();
  Deployment deployment_ = {};
  int gateway_port_ = 0;
  int console_port_ = free_port();
  std::shared_ptr<Recorder> recorder_ = {};
  std::vector<std::unique_ptr<Process>> processes_ = {};
  Process operator_{deployment_, "operator"};
  std::string token_ = {};
};

/// NAME=VALUE from the fragment of a console's link.
std::string behind_hash(const std::string& link, const std::string& name) {
  const auto found = link.find_first_of("#&", link.find(name + "=") - 1);
  const auto begin = found + name.size() + 2;
  return link.substr(begin, link.find_first_of("&\n", begin) - begin);
}

TEST_F(Journey, GoesFromAStartToALoginPrompt) {
  define();

  // 1. The command; 2. The gateway authenticates; 3. The gateway translates; 4. The bus delivers.
  const std::string printed = comet("start c1 --count=2");
  EXPECT_NE(printed.find("Request accepted!"), std::string::npos) << printed;
  EXPECT_NE(printed.find("comet computeset 1"), std::string::npos) << printed;

  // 5. The scheduler decides; 6. One write: every later read shows it.
  const auto set = must(msg::ListComputesets{.viewer = {.projects = {{"p"}}}, .computeset_id = 1});
  EXPECT_EQ(set.computesets.at(0).nodes.size(), 2U);
  EXPECT_EQ(set.computesets.at(0).allocation_id.value, "p");

  // 7. The host receives its grants; 8. The provisioner chooses the next step;
  // 9. The driver starts the domain;
  // 10. The domain is observed; 11. The admin is notified.
  const auto states = recorder_->reported_until("node active", 2);
  ASSERT_EQ(std::ranges::count(states, "node active"), 2) << testing::PrintToString(states);
  EXPECT_EQ(states.front(), "computeset submitted");
  const auto at = [&](const std::string& what) { return std::ranges::find(states, what); };
  EXPECT_LT(at("computeset running"), at("domain running")) << testing::PrintToString(states);
  EXPECT_LT(at("domain running"), at("node active")) << testing::PrintToString(states);
  const auto node = node_named("vm-c1-00");
  const auto spec = hypervisor_->spec_of(node.node_id.value);
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->epoch, 1U);
  EXPECT_EQ(spec->ports.at(0).vlan, 100);
  const std::string seed = folder_.file("seeds/" + node.node_id.value + ".img");
  EXPECT_TRUE(std::filesystem::exists(seed));
  EXPECT_EQ(spec->disks.at(0).path, seed);

  // 12. The guest configures itself: this socket is its console.
  ConsoleSocket guest(provisioner::console_paths(*spec).serial_socket, "vm-c1-00 login: ");

  // 13. The login prompt.
  const std::string link = comet("console --link c1 vm-c1-00");
  Viewer viewer(behind_hash(link, "url"));
  ASSERT_EQ(viewer.open("nucleus.console, nucleus.ticket." + behind_hash(link, "ticket")), 101U)
      << link;
  EXPECT_EQ(viewer.read_to("login: "), "vm-c1-00 login: ");
}

TEST_F(Journey, EndsBeforeItBeginsForAPersonOfAnotherProject) {
  define();
  must(msg::DefineProject{{"q"}});
  must(msg::DefinePerson{.person = {.person_id = {"eve"}, .projects = {{"q"}}}});
  const client::Api api(
      {.url = "http://" + address(), .token = must(msg::IssueToken{{"eve"}}).token});
  const auto started =
      api.post("/nucleus/v1/computeset/", client::Json::object({{"cluster", "c1"}, {"count", 2}}));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, core::ErrorCode::not_found);
  const auto unknown =
      api.post("/nucleus/v1/computeset/", client::Json::object({{"cluster", "c9"}, {"count", 2}}));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(started.error().detail, unknown.error().detail);
  EXPECT_TRUE(must(msg::ListComputesets{.viewer = as_operator}).computesets.empty());
}

}  // namespace
}  // namespace nucleus::tests
