// v2: what Prometheus scrapes, in the form of its HTTP service discovery.
#include <fstream>
#include <iterator>
#include <set>

#include "core/log/log.hpp"
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"

namespace nucleus::gateway {

namespace {

constexpr std::uint32_t hosts_per_call = 1000;

/// The targets of one answer: those of the head's processes, then the hosts'.
struct Targets {
  Json found = Json::array();
  std::set<std::string> addresses = {};

  void add(const msg::Host& host) {
    if (host.metrics_address.empty() || !addresses.insert(host.metrics_address).second) return;
    found.push_back({{"targets", {host.metrics_address}},
                     {"labels", {{"process", "provisioner/" + host.host_id.value}}}});
  }
};

/// The list that `nucleus up` writes; empty if there is none.
Json read_targets(const std::string& file) {
  if (file.empty()) return Json::array();
  std::ifstream opened(file);
  const std::string text{std::istreambuf_iterator<char>(opened), {}};
  auto targets = Json::parse(text, nullptr, false);
  if (targets.is_array()) return targets;
  core::log::warning("targets_not_read", {{"file", file}});
  return Json::array();
}

void add_hosts(const ExchangePtr& exchange, const std::shared_ptr<Targets>& targets,
               const std::string& after) {
  exchange->ask(msg::ListHosts{.page = {.limit = hosts_per_call, .after = after}},
                [exchange, targets](const msg::Hosts& hosts) {
                  for (const auto& host : hosts.hosts) targets->add(host);
                  if (!hosts.next.empty()) return add_hosts(exchange, targets, hosts.next);
                  exchange->reply(200, targets->found);
                });
}

}  // namespace

void add_v2_monitoring_routes(Router& router, const std::string& targets_file) {
  Targets head{.found = read_targets(targets_file)};
  for (const auto& target : head.found)
    for (const auto& address : target.value("targets", Json::array()))
      if (address.is_string()) head.addresses.insert(address.get<std::string>());
  router.add("GET", "/v2/monitoring/targets", msg::Right::operate,
             [head = std::move(head)](const ExchangePtr& exchange) {
               add_hosts(exchange, std::make_shared<Targets>(head), {});
             });
}

}  // namespace nucleus::gateway
