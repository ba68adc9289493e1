#include "tests/support/sim/deployment.hpp"

#include <fmt/format.h>

#include "services/image_store/service.hpp"
#include "services/network/service.hpp"
#include "services/overhead/service.hpp"
#include "services/registry/service.hpp"

namespace nucleus::tests {

namespace {

using Built = core::Result<std::shared_ptr<void>>;
constexpr const char* host_prefix = "provisioner/";

std::string host_name(std::size_t host) {
  return "h" + std::to_string(host);
}

}  // namespace

SimDeployment::SimDeployment(std::uint64_t seed, SimShape shape)
    : world{seed},
      invariants{
          world,
          {.cpu_overcommit = shape.cpu_overcommit, .vlan_quarantine_s = shape.vlan_quarantine_s}},
      shape_{shape},
      names_{"registry", "network", "image_store", "scheduler", "overhead"},
      admin{world, "admin"} {
  const std::size_t hypervisor_count = shape_.is_one_provisioner ? 1 : shape_.host_count;
  for (std::size_t i = 0; i < hypervisor_count; ++i) {
    hypervisors_.push_back(std::make_shared<SimHypervisor>(
        world,
        provisioner::HostCapacity{.cpus = shape_.host_cpus, .memory_mb = shape_.host_memory_mb}));
    invariants.watch(*hypervisors_.back());
    host_processes_.push_back(
        host_prefix + (shape_.is_one_provisioner ? std::string("simulated") : host_name(i)));
  }
  names_.insert(names_.end(), host_processes_.begin(), host_processes_.end());
  for (const auto& name : names_) start(name);
}

std::string SimDeployment::process_of(std::size_t host) const {
  return shape_.is_one_provisioner ? host_processes_.front() : host_processes_[host];
}

SimHypervisor& SimDeployment::hypervisor(std::size_t host) {
  return shape_.is_one_provisioner ? *hypervisors_.front() : *hypervisors_[host];
}

void SimDeployment::start(const std::string& name) {
  processes_[name].reset();
  processes_[name] = make(name);
}

std::unique_ptr<SimProcess> SimDeployment::make(const std::string& name) {
  return std::make_unique<SimProcess>(
      world, name, settings_of(name),
      [this, name](core::Runtime& runtime) { return build(name, runtime); }, clock_skew_ms(name));
}

std::int64_t SimDeployment::clock_skew_ms(const std::string& name) const {
  const auto host = std::ranges::find(host_processes_, name);
  if (host == host_processes_.end()) return 0;
  const bool is_even = (host - host_processes_.begin()) % 2 == 0;
  return is_even ? shape_.clock_skew_ms : -shape_.clock_skew_ms;
}

bool SimDeployment::is_running(const std::string& name) const {
  const auto found = processes_.find(name);
  return found != processes_.end() && found->second;
}

SimProcess* SimDeployment::process(const std::string& name) const {
  const auto found = processes_.find(name);
  return found == processes_.end() ? nullptr : found->second.get();
}

void SimDeployment::take_over(const std::string& name) {
  if (!is_running(name)) return;
  processes_[name]->stop();
  stopped_.push_back(std::move(processes_[name]));
  start(name);
}

void SimDeployment::resume_all() {
  for (auto& process : stopped_)
    if (process && !process->is_fenced()) process->resume();
}

void SimDeployment::cut_power(std::size_t host) {
  kill(process_of(host));
  hypervisor(host).fake().vanish();
}

void SimDeployment::end_fenced() {
  for (auto& [name, process] : processes_)
    if (process && process->is_fenced()) process = make(name);
  std::erase_if(stopped_, [](const auto& process) { return process->is_fenced(); });
  for (const auto& known : provisioners_)
    if (const auto room = known.lock()) room->check();
}

void SimDeployment::check_views() {
  std::erase_if(views_, [](const auto& view) { return view.first.expired(); });
  for (auto& [service, checked] : views_) {
    const auto& view = service.lock()->view();
    if (view.generation() == checked) continue;
    checked = view.generation();
    for (const auto& wrong : view.check()) invariants.fail("the scheduler's view: " + wrong);
  }
}

std::map<std::string, std::string> SimDeployment::settings_of(const std::string& name) const {
  if (name == "scheduler")
    return {{"scheduler.cpu_overcommit", std::to_string(shape_.cpu_overcommit)},
            {"scheduler.host_lease_ms", std::to_string(shape_.host_lease_ms)},
            {"scheduler.host_lease_margin_ms", "3000"},
            {"scheduler.shutdown_ms", std::to_string(shape_.shutdown_ms)}};
  if (name == "network")
    return {{"network.vlan_first", "100"},
            {"network.vlan_last", std::to_string(99 + shape_.vlan_count)},
            {"network.vlan_quarantine_s", std::to_string(shape_.vlan_quarantine_s)},
            {"network.public_subnet", "172.30.0.0/28"}};
  if (name == "image_store")
    return {{"image_store.driver", "simulated"}, {"image_store.retry_ms", "1000"}};
  return {};
}

Built SimDeployment::build(const std::string& name, core::Runtime& runtime) {
  if (name == "registry")
    return std::make_shared<registry::Service>(runtime, *registry::Config::from(runtime.settings));
  if (name == "scheduler") {
    const auto service =
        std::make_shared<scheduler::Service>(runtime, *scheduler::Config::from(runtime.settings));
    views_[service] = 0;
    return service;
  }
  if (name == "network") {
    auto config = network::Config::from(runtime.settings);
    if (!config) return std::unexpected(config.error());
    return std::make_shared<network::Service>(runtime, *config);
  }
  if (name == "image_store") {
    auto config = image_store::Config::from(runtime.settings);
    if (!config) return std::unexpected(config.error());
    return std::make_shared<image_store::Service>(runtime, *config, volumes_);
  }
  if (name == "overhead") {
    auto config = overhead::Config::from(runtime.settings);
    if (!config) return std::unexpected(config.error());
    return std::make_shared<overhead::Service>(runtime, *config);
  }
  provisioner::Config config;
  config.driver = provisioner::simulated_driver;
  config.cpus = shape_.host_cpus;
  config.memory_mb = shape_.host_memory_mb;
  config.retry_ms_max = 4000;
  std::size_t first = 0;
  for (std::size_t i = 0; i < shape_.host_count; ++i)
    if (process_of(i) == name) {
      if (config.hosts.empty()) first = i;
      config.hosts.push_back({host_name(i)});
    }
  const std::size_t own = shape_.is_one_provisioner ? 0 : first;
  auto& leases = leases_[name];
  if (!leases) leases = std::make_shared<SimLeases>();
  auto room = std::make_shared<provisioner::Service>(runtime, config, hypervisors_[own],
                                                     provisioner::WorkerPools{}, leases);
  std::erase_if(provisioners_, [](const auto& known) { return known.expired(); });
  provisioners_.push_back(room);
  return room;
}

}  // namespace nucleus::tests
