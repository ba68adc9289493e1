#include "gateway/v1/json.hpp"

#include <algorithm>

namespace nucleus::gateway {

namespace {

/// `compute_state` of docs/rest-v1.md, States.
const char* disk_state(const msg::NodeStatus& status) {
  return status.host_id.empty() ? "ready" : "synced";
}

Json private_interfaces(const msg::NodeStatus& status) {
  Json list = Json::array();
  for (const auto& port : status.ports)
    if (!port.is_public) list.push_back({{"mac", port.mac}, {"iface", "private"}});
  return list;
}

std::string netmask(std::uint32_t prefix_length) {
  const std::uint32_t mask = prefix_length == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix_length);
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8)
    text += (text.empty() ? "" : ".") + std::to_string(mask >> shift & 255);
  return text;
}

bool is_active(msg::ComputesetState state) {
  using enum msg::ComputesetState;
  const auto shown = v1_state(state);
  return shown == created || shown == submitted || shown == running || shown == ending;
}

std::string name_of(msg::ComputesetState state) {
  return std::string(msg::name_of(v1_state(state)));
}

}  // namespace

msg::ComputesetState v1_state(msg::ComputesetState state) {
  using enum msg::ComputesetState;
  if (state == hibernating) return running;
  return state == hibernated ? submitted : state;
}

Json v1_frontend(const msg::Node& node, const NodeStatusesById& statuses) {
  const auto& status = status_of(node, statuses);
  Json frontend{{"name", node.name},
                {"state", std::string(msg::name_of(status.state))},
                {"memory", node.memory_mb},
                {"cpus", node.cpus},
                {"disksize", node.disk_gb},
                {"type", "VM"},
                {"interface", private_interfaces(status)},
                {"pub_ip", nullptr},
                {"pub_mac", nullptr},
                {"pub_netmask", nullptr},
                {"gateway", nullptr},
                {"dns1", nullptr},
                {"dns2", nullptr},
                {"ntp", nullptr},
                {"frontend_state", disk_state(status)}};
  const auto port = std::ranges::find_if(status.ports, &msg::Port::is_public);
  if (port != status.ports.end()) {
    frontend["pub_ip"] = port->ip;
    frontend["pub_mac"] = port->mac;
    frontend["pub_netmask"] = netmask(port->prefix_length);
    if (!port->gateway.empty()) frontend["gateway"] = port->gateway;
  }
  return frontend;
}

Json v1_compute(const msg::Node& node, const NodeStatusesById& statuses) {
  const auto& status = status_of(node, statuses);
  const bool is_in_set = status.computeset_id != 0 && is_active(v1_state(status.computeset_state));
  return {{"name", node.name},
          {"interface", private_interfaces(status)},
          {"memory", node.memory_mb},
          {"cpus", node.cpus},
          {"disksize", node.disk_gb},
          {"cluster", node.cluster_id.value},
          {"type", "VM"},
          {"state", std::string(msg::name_of(status.state))},
          {"host", status.host_id.empty() ? Json() : Json(status.host_id.value)},
          {"active_computeset", is_in_set ? Json(status.computeset_id) : Json()},
          {"active_computeset_state", is_in_set ? Json(name_of(status.computeset_state)) : Json()},
          {"compute_state", disk_state(status)}};
}

Json v1_cluster(const msg::Cluster& cluster, const std::vector<msg::Node>& nodes,
                const NodeStatusesById& statuses) {
  Json body{{"name", cluster.cluster_id.value},
            {"description", cluster.description},
            {"project", cluster.project_id.value},
            {"vlan", nullptr},
            {"frontend", nullptr},
            {"computes", Json::array()},
            {"allocations", json_of(cluster.allocations)}};
  for (const auto& node : nodes) {
    if (node.kind == msg::NodeKind::frontend)
      body["frontend"] = v1_frontend(node, statuses);
    else
      body["computes"].push_back(v1_compute(node, statuses));
    for (const auto& port : status_of(node, statuses).ports)
      if (!port.is_public && body["vlan"].is_null()) body["vlan"] = port.vlan;
  }
  return body;
}

Json v1_computeset(const msg::Computeset& computeset, const std::vector<msg::Node>& nodes,
                   const NodeStatusesById& statuses) {
  Json computes = Json::array();
  for (const auto& node : nodes) computes.push_back(v1_compute(node, statuses));
  return {{"id", computeset.computeset_id},
          {"cluster", computeset.cluster_id.value},
          {"state", name_of(computeset.state)},
          {"computes", std::move(computes)},
          {"account", computeset.allocation_id.value},
          {"walltime_mins", computeset.walltime_mins},
          {"start_time", computeset.start_unix_s ? Json(computeset.start_unix_s) : Json()},
          {"reservation", computeset.reservation.empty() ? Json() : Json(computeset.reservation)}};
}

}  // namespace nucleus::gateway
