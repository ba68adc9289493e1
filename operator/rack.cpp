#include "operator/rack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "operator/join_file.hpp"
#include "operator/run_ip.hpp"
#include "operator/supervisor.hpp"

namespace nucleus::operator_ {

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t first_address = 100U << 24 | 64U << 16;  // 100.64.0.0
constexpr unsigned addresses_bits = 6;                           // of one deployment
constexpr std::uint16_t metrics_port_of_host = 9400;
constexpr std::uint16_t chunk_port_of_host = 9410;

// The hosts' own network, in which MPI runs natively and chunks of images are fetched: it is
// isolated, so all racks have the same.
constexpr const char* native_network = "100.127.255.";

// A VLAN tag adds 4 bytes to the frames of 1500-byte packets: the uplink's MTU has room for it.
constexpr const char* host_links = R"(
netns add {own}
-n {own} link set lo up
link add {link} type veth peer name head0 netns {own}
addr add {head}/32 peer {host}/32 dev {link}
link set {link} up
-n {own} addr add {host}/32 peer {head}/32 dev head0
-n {own} link set head0 up
-n {own} link add uplink0 mtu 1600 type veth peer name {port} mtu 1600 netns {rack}
-n {own} link set uplink0 addrgenmode none
-n {own} link set uplink0 up
-n {rack} link set {port} master rack0 up
-n {own} link add native0 type veth peer name {native} netns {rack}
-n {own} addr add {native_ip}/24 dev native0
-n {own} link set native0 up
-n {rack} link set {native} master native0 up
)";

/// Address 1 is the head's; those of the hosts follow.
std::string address(const std::string& short_id, std::uint32_t number) {
  const auto id = static_cast<std::uint32_t>(std::stoul(short_id, nullptr, 16));
  const std::uint32_t bits = first_address + (id << addresses_bits) + number;
  return fmt::format("{}.{}.{}.{}", bits >> 24, bits >> 16 & 255, bits >> 8 & 255, bits & 255);
}

std::string host_address(const std::string& short_id, std::uint32_t index) {
  return address(short_id, 1 + index);
}

std::string host_namespace(const Deployment& deployment, std::uint32_t index) {
  return fmt::format("nuc-{}-{}", deployment.short_id, index);
}

std::string switch_namespace(const Deployment& deployment) {
  return fmt::format("nuc-{}-rack", deployment.short_id);
}

core::Result<void> make_host_links(const Deployment& deployment, std::uint32_t index) {
  const auto& id = deployment.short_id;
  const auto own = host_namespace(deployment, index);
  const auto rack = switch_namespace(deployment);
  const auto link = fmt::format("n{}m{}", id, index);
  const auto head = rack_head_address(id);
  const auto host = host_address(id, index);
  const auto port = fmt::format("port{}", index);
  return run_ip(fmt::format(host_links, fmt::arg("own", own), fmt::arg("rack", rack),
                            fmt::arg("link", link), fmt::arg("head", head), fmt::arg("host", host),
                            fmt::arg("port", port),
                            fmt::arg("native", fmt::format("native{}", index)),
                            fmt::arg("native_ip", native_network + std::to_string(index))));
}

HostDeployment rack_host(const StateDirectory& state, const Deployment& deployment,
                         std::uint32_t index) {
  return {.host_id = rack_host_id(index),
          .short_id = fmt::format("{:04x}",
                                  (std::stoul(deployment.short_id, nullptr, 16) + index) & 0xffff),
          .network_namespace = host_namespace(deployment, index),
          .uplink = "uplink0",
          .provisioner_namespace = host_namespace(deployment, index),
          .metrics_listen =
              fmt::format("{}:{}", host_address(deployment.short_id, index), metrics_port_of_host),
          .image_folder = state.file("images"),
          .volume_folder = state.file("volumes"),
          .chunk_endpoint = fmt::format("{}{}:{}", native_network, index, chunk_port_of_host),
          .mpi_launcher =
              fmt::format("{}/rack_launcher nuc-{}-", programs_folder(), deployment.short_id)};
}

/// The key is made once, and may have been renewed; what the file says of the head is new.
core::Result<TextMap> rack_join_file(const StateDirectory& state, const Deployment& deployment,
                                     std::uint32_t index) {
  const auto own = rack_state(state, index);
  const std::string path = own.file("join.yaml");
  const auto head = head_entries(state, deployment);
  if (!head) return head;
  auto file = is_host(own) ? read_text_map(own.file("host.yaml"))
              : fs::exists(path)
                  ? read_text_map(path)
                  : add_host_key(state, find_known_keys(state), *head, rack_host_id(index));
  if (!file) return file;
  for (const auto& [key, value] : *head) (*file)[key] = value;
  if (auto written = write_text_map(path, *file); !written) return std::unexpected(written.error());
  return file;
}

/// The kernel that probes the accelerator is the head's.
void copy_probe_kernel(const StateDirectory& head, const StateDirectory& host) {
  std::error_code none;
  fs::copy_file(head.file("provisioner/probe-kernel"), host.file("provisioner/probe-kernel"),
                fs::copy_options::overwrite_existing, none);
}

}  // namespace

std::string rack_host_id(std::uint32_t index) {
  return "rack-" + std::to_string(index);
}

StateDirectory rack_state(const StateDirectory& state, std::uint32_t index) {
  return StateDirectory(state.file("rack/" + std::to_string(index)));
}

std::string rack_head_address(const std::string& short_id) {
  return address(short_id, 1);
}

core::Result<void> make_rack_network(const Deployment& deployment) {
  remove_rack_network(deployment);
  const auto rack = switch_namespace(deployment);
  const auto made = run_ip(
      fmt::format("netns add {0}\n-n {0} link add rack0 type bridge\n-n {0} link set rack0 up\n"
                  "-n {0} link add native0 type bridge\n-n {0} link set native0 up",
                  rack));
  if (!made) return made;
  for (std::uint32_t i = 1; i <= deployment.options.rack_hosts; ++i)
    if (auto linked = make_host_links(deployment, i); !linked) return linked;
  return {};
}

void remove_rack_network(const Deployment& deployment) {
  for (std::uint32_t i = 1; i <= deployment.options.rack_hosts; ++i)
    remove_network_namespace(host_namespace(deployment, i));
  remove_network_namespace(switch_namespace(deployment));
}

std::vector<Child> rack_children(const StateDirectory& state, const Deployment& deployment) {
  std::vector<Child> all;
  for (std::uint32_t i = 1; i <= deployment.options.rack_hosts; ++i) {
    const auto host = rack_host(state, deployment, i);
    auto children = plan_host_children(rack_state(state, i), host, programs_folder());
    std::ranges::move(children, std::back_inserter(all));
  }
  return all;
}

bool is_rack_running(const StateDirectory& state, const Deployment& deployment) {
  for (std::uint32_t i = 1; i <= deployment.options.rack_hosts; ++i)
    if (const auto own = rack_state(state, i); is_host(own) && is_any_running(load_processes(own)))
      return true;
  return false;
}

core::Result<void> start_rack(const StateDirectory& state, const Deployment& deployment) {
  for (std::uint32_t i = 1; i <= deployment.options.rack_hosts; ++i) {
    const auto own = rack_state(state, i);
    if (auto created = own.create(); !created) return created;
    const auto file = rack_join_file(state, deployment, i);
    if (!file) return std::unexpected(file.error());
    copy_probe_kernel(state, own);
    auto host = rack_host(state, deployment, i);
    apply_join_file(*file, own, host);
    if (auto written = write_ca(*file, host); !written) return written;
    if (auto started = start_host(own, host); !started) return started;
  }
  return {};
}

core::Result<void> stop_rack(const StateDirectory& state, const Deployment& deployment) {
  core::Result<void> result;
  for (std::uint32_t i = 1; i <= deployment.options.rack_hosts; ++i)
    if (const auto own = rack_state(state, i); is_host(own))
      if (auto stopped = stop_supervised(own); !stopped) result = stopped;
  remove_rack_network(deployment);
  return result;
}

}  // namespace nucleus::operator_
