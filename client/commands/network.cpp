// network: the ports of a cluster, who answers DHCP and DNS there, and whether it is isolated from
// the others.
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/http/url.hpp"
#include "client/output/views.hpp"

namespace nucleus::client {

namespace {

std::string shown_or(const Json& isolation, std::string_view field, const std::string& otherwise) {
  const auto unix_s = isolation[field].number().value_or(0);
  return unix_s == 0 ? otherwise : shown_time(unix_s);
}

void print_isolation(const Json& isolation) {
  const auto& state = isolation["state"].text();
  const auto checked = shown_or(isolation, "checked_unix_s", "never");
  const auto& reason = isolation["reason"].text();
  if (state == "verified")
    std::cout << "Isolated since " << shown_or(isolation, "since_unix_s", "its start")
              << ", last checked " << checked << "\n";
  else if (state == "broken")
    std::cout << "NOT isolated since " << shown_or(isolation, "since_unix_s", "an unknown time")
              << ", last checked " << checked << "\n";
  else
    std::cout << "Isolation " << (state == "simulated" ? state : "not verified") << ": " << reason
              << "\n";
  for (const auto& fault : isolation["faults"].items()) {
    std::cout << "  " << fault["reason"].text();
    if (const auto& port = fault["port"].text(); !port.empty())
      std::cout << " (port " << port << ")";
    if (fault["is_quarantined"].text() == "true") std::cout << "; the port is closed";
    std::cout << "\n";
  }
}

void print_name_server(const Json& networks) {
  for (const auto& network : networks.items())
    for (const auto& port : network["ports"].items())
      if (const auto& server = port["name_server"].text(); !server.empty()) {
        std::cout << "Nucleus answers DHCP and DNS at " << server << "\n";
        return;
      }
}

core::Result<int> set_addresses(const Api& api, const std::string& cluster,
                                const std::string& mode) {
  const auto done = api.send("PATCH", cluster, Json::object({{"address_mode", Json(mode)}}));
  if (!done) return std::unexpected(done.error());
  std::cout << (mode == "nucleus"
                    ? "from their next power-on Nucleus answers DHCP and DNS to its nodes\n"
                    : "from their next power-on its frontend may answer DHCP to its nodes\n");
  return 0;
}

}  // namespace

core::Result<int> show_network(const Api& api, const Words& words) {
  const auto cluster = "/v2/clusters/" + encoded(words["CLUSTER"]);
  if (words.has("--addresses")) return set_addresses(api, cluster, words["--addresses"]);
  const auto isolation = api.get(cluster + "/isolation");
  if (!isolation && isolation.error().code == core::ErrorCode::not_found)
    return core::refuse(core::ErrorCode::not_found,
                        "no such cluster: " + msg::shown(words["CLUSTER"]));
  if (!isolation) return std::unexpected(isolation.error());
  const auto networks = api.get_all(cluster + "/networks", "networks");
  if (!networks) return std::unexpected(networks.error());
  const auto format = words["--format"];
  if (format == "table") print_isolation(*isolation);
  if (format == "table") print_name_server(*networks);
  return print(network_view(*networks), format, *networks);
}

}  // namespace nucleus::client
