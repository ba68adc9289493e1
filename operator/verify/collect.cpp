#include "operator/verify/collect.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/config/settings.hpp"
#include "core/runtime/child_process.hpp"
#include "operator/rack.hpp"
#include "operator/run_ovs.hpp"
#include "services/image_store/keys.hpp"
#include "services/network/keys.hpp"
#include "services/provisioner/driver/domain_xml.hpp"
#include "services/registry/keys.hpp"
#include "services/scheduler/config.hpp"
#include "services/scheduler/driver/slurm.hpp"
#include "services/scheduler/keys.hpp"

namespace nucleus::operator_ {

namespace {

constexpr core::Milliseconds redis_timeout{10'000};

using Records = std::map<std::string, core::StoredRecord>;

template <class R>
void take(const Records& records, const core::Key<R>& prefix, std::vector<R>& into) {
  for (auto one = records.lower_bound(prefix.name);
       one != records.end() && one->first.starts_with(prefix.name); ++one)
    into.push_back(msg::decode<R>(one->second.bytes));
}

core::Result<void> read_records(core::RedisReader& redis, Evidence& evidence) {
  const auto registry = redis.records("registry");
  if (!registry) return std::unexpected(registry.error());
  take(*registry, registry::keys::clusters(), evidence.clusters);
  take(*registry, registry::keys::nodes(), evidence.nodes);
  const auto network = redis.records("network");
  if (!network) return std::unexpected(network.error());
  take(*network, network::keys::networks(), evidence.networks);
  take(*network, network::keys::all_ports(), evidence.ports);
  take(*network, network::keys::vlan_quarantines(), evidence.vlan_quarantines);
  const auto images = redis.records("image_store");
  if (!images) return std::unexpected(images.error());
  take(*images, image_store::keys::volumes(), evidence.volumes);
  const auto scheduler = redis.records("scheduler");
  if (!scheduler) return std::unexpected(scheduler.error());
  take(*scheduler, scheduler::keys::nodes(), evidence.placed_nodes);
  take(*scheduler, scheduler::keys::hosts(), evidence.hosts);
  take(*scheduler, scheduler::keys::computesets(), evidence.computesets);
  take(*scheduler, scheduler::keys::allocations(), evidence.allocations);
  const auto finished = redis.archived("scheduler");
  if (!finished) return std::unexpected(finished.error());
  for (const auto& [key, bytes] : *finished)
    if (key.starts_with(scheduler::keys::computesets().name))
      evidence.finished.push_back(msg::decode<scheduler::StoredComputeset>(bytes));
  return {};
}

core::Result<void> read_events(core::RedisReader& redis, Evidence& evidence) {
  const auto events = redis.events();
  if (!events) return std::unexpected(events.error());
  const auto last = redis.last_sequence();
  if (!last) return std::unexpected(last.error());
  evidence.events = *events;
  evidence.last_event = *last;
  return {};
}

core::Result<void> read_jobs(const scheduler::Config& config, Evidence& evidence) {
  evidence.has_batch_system = config.has_batch_system();
  if (!evidence.has_batch_system) return {};
  auto jobs = scheduler::Slurm{config.slurm}.list_jobs();
  if (!jobs)
    return core::refuse(core::ErrorCode::unavailable, "cannot read Slurm: " + jobs.error().detail);
  evidence.jobs = std::move(*jobs);
  return {};
}

core::Error unreadable(const HostDeployment& host, const core::Error& error) {
  return {.code = core::ErrorCode::unavailable,
          .detail = "cannot read " + host.host_id + ": " + error.detail};
}

/// Those with our metadata; the machine's own libvirtd may have others.
core::Result<void> read_domains(const HostDeployment& host, const std::set<std::string>& nodes,
                                HostEvidence& evidence) {
  const auto virsh = [&](std::vector<std::string> words) {
    std::vector<std::string> argv{"virsh", "-c", evidence.libvirt_uri};
    argv.insert(argv.end(), words.begin(), words.end());
    return core::must_run_child({.argv = std::move(argv)});
  };
  const auto listed = virsh({"list", "--name"});
  if (!listed) return std::unexpected(unreadable(host, listed.error()));
  std::istringstream names(*listed);
  for (std::string name; names >> name;)
    if (nodes.contains(name) || virsh({"metadata", name, provisioner::metadata_uri}))
      evidence.domains.insert(name);
  return {};
}

core::Result<void> read_ports(const HostDeployment& host, HostEvidence& evidence) {
  const auto listed = run_ovs_vsctl(evidence.switch_folder,
                                    {"--format=json", "--columns=name,tag", "list", "port"});
  if (!listed) return std::unexpected(unreadable(host, listed.error()));
  const auto json = nlohmann::json::parse(*listed, nullptr, false);
  if (!json.is_object() || !json.contains("data"))
    return core::refuse(core::ErrorCode::internal, "ovs-vsctl printed no list of ports");
  for (const auto& row : json["data"]) {
    const auto name = row.at(0).get<std::string>();
    if (!name.starts_with("n" + host.short_id + "-")) continue;
    evidence.tap_ports[name] = row.at(1).is_number_unsigned() ? row.at(1).get<std::uint32_t>() : 0;
  }
  return {};
}

/// The hosts of this machine, with their state directories.
core::Result<std::vector<std::pair<StateDirectory, HostDeployment>>> hosts_here(
    const StateDirectory& state, const Deployment& deployment) {
  std::vector<std::pair<StateDirectory, HostDeployment>> hosts;
  if (has_own_host(deployment.options)) hosts.emplace_back(state, own_host(state, deployment));
  for (std::uint32_t i = 1; i <= deployment.options.rack_hosts; ++i) {
    const auto own = rack_state(state, i);
    auto host = load_host(own);
    if (!host) return std::unexpected(host.error());
    hosts.emplace_back(own, std::move(*host));
  }
  return hosts;
}

}  // namespace

core::Result<HostEvidence> collect_host_evidence(const StateDirectory& own,
                                                 const HostDeployment& host,
                                                 const std::set<std::string>& nodes) {
  HostEvidence found{.host_id = {host.host_id},
                     .libvirt_uri = libvirt_uri(own, host),
                     .switch_folder = switch_folder(own, host)};
  if (auto read = read_domains(host, nodes, found); !read) return std::unexpected(read.error());
  if (auto read = read_ports(host, found); !read) return std::unexpected(read.error());
  return found;
}

core::Result<Evidence> collect_evidence(const StateDirectory& state, const Deployment& deployment) {
  Evidence evidence;
  core::RedisConnection connection(state.redis_socket(), redis_timeout);
  core::RedisReader redis(connection);
  auto settings = core::Settings::load(state.settings_file("scheduler"));
  if (!settings) return std::unexpected(settings.error());
  const auto config = scheduler::Config::from(*settings);
  if (!config) return std::unexpected(config.error());
  evidence.cpu_overcommit = config->cpu_overcommit;
  const auto hosts = hosts_here(state, deployment);
  if (!hosts) return std::unexpected(hosts.error());
  if (auto read = read_records(redis, evidence); !read) return std::unexpected(read.error());
  if (auto read = read_events(redis, evidence); !read) return std::unexpected(read.error());
  if (auto read = read_jobs(*config, evidence); !read) return std::unexpected(read.error());
  std::set<std::string> nodes;
  for (const auto& stored : evidence.placed_nodes) nodes.insert(stored.definition.node_id.value);
  for (const auto& [own, host] : *hosts) {
    auto found = collect_host_evidence(own, host, nodes);
    if (!found) return std::unexpected(found.error());
    evidence.read_hosts.push_back(std::move(*found));
  }
  return evidence;
}

}  // namespace nucleus::operator_
