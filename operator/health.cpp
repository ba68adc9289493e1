#include "operator/health.hpp"

#include <curl/curl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "messages/process.hpp"
#include "operator/rack.hpp"
#include "operator/slurm.hpp"
#include "operator/tls.hpp"

namespace nucleus::operator_ {

namespace {

/// A connection to a unix socket, closed with it.
class UnixConnection {
 public:
  explicit UnixConnection(const std::string& path)
      : descriptor_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    is_open_ =
        connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~UnixConnection() { close(descriptor_); }
  UnixConnection(const UnixConnection&) = delete;
  UnixConnection& operator=(const UnixConnection&) = delete;

  bool is_open() const { return is_open_; }

  /// Sends a line and returns the first bytes of the response; empty if none arrives in time.
  std::string exchange(const std::string& line, core::Milliseconds timeout) const {
    if (!is_open_ || send(descriptor_, line.data(), line.size(), MSG_NOSIGNAL) < 0) return {};
    pollfd waited{.fd = descriptor_, .events = POLLIN, .revents = 0};
    std::string response(64, '\0');
    if (poll(&waited, 1, static_cast<int>(timeout.count())) != 1) return {};
    const auto count = recv(descriptor_, response.data(), response.size(), 0);
    response.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return response;
  }

 private:
  int descriptor_;
  bool is_open_ = false;
};

/// Accepting connections is not enough: a Redis that hangs, or loads its file, must count as down.
std::string redis_problem(const std::string& socket_path, core::Milliseconds timeout) {
  const auto response = UnixConnection(socket_path).exchange("PING\r\n", timeout);
  if (response.starts_with("+PONG")) return {};
  return response.empty() ? "not responding" : response.substr(0, response.find('\r'));
}

std::string own_address(const Options& options) {
  return options.listen_address == "0.0.0.0" ? "127.0.0.1" : options.listen_address;
}

std::string url_at(const Options& options, const std::string& host) {
  return (options.tls.certificate.empty() ? "http://" : "https://") + host + ":" +
         std::to_string(options.listen_port);
}

bool is_healthy_at(const std::string& url, core::Milliseconds timeout) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  if (!curl) return false;
  curl_easy_setopt(curl.get(), CURLOPT_URL, (url + "/healthz").c_str());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  // The question is whether the process responds on this machine, whatever its certificate is for.
  curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(
      curl.get(), CURLOPT_WRITEFUNCTION,
      +[](char*, std::size_t size, std::size_t count, void*) { return size * count; });
  return curl_easy_perform(curl.get()) == CURLE_OK;
}

/// A heartbeat from before the provisioner's start says nothing about the host now.
bool is_up(const msg::Host& host, const std::map<std::string, std::int64_t>& provisioners) {
  const auto own = provisioners.find(host.host_id.value);
  const auto started = own == provisioners.end() ? provisioners.find("simulated") : own;
  return (host.state == msg::HostState::up || host.state == msg::HostState::drained) &&
         started != provisioners.end() && host.last_heartbeat_unix_ms >= started->second;
}

using StatusFuture = std::future<core::Result<msg::ProcessStatus>>;

/// Without a status from the bus, empty if the process is healthy as far as can be seen.
std::string problem_of(const std::string& name, const StateDirectory& state, const Options& options,
                       core::Milliseconds timeout) {
  if (name == "slurm") return slurm_problem(state);
  if (name == "redis") return redis_problem(state.redis_socket(), timeout);
  if (name == "libvirtd" && !UnixConnection(state.file("libvirt/run/libvirt-sock")).is_open())
    return "not accepting connections";
  if (name == "gateway" && !is_healthy_at(url_at(options, own_address(options)), timeout))
    return "not responding";
  return {};
}

std::string problem_of(const core::Result<msg::ProcessStatus>& status) {
  if (!status) return status.error().detail;
  if (status->state == msg::ProcessState::serving) return {};
  return std::string(msg::name_of(status->state)) + ": " + status->reason;
}

/// A service that needs Redis cannot commit while Redis is down, even if it still responds.
void mark_without_redis(std::vector<ProcessHealth>& processes, const std::vector<Child>& children) {
  const auto redis = std::ranges::find(processes, "redis", &ProcessHealth::name);
  if (redis == processes.end() || redis->is_healthy()) return;
  for (std::size_t i = 0; i < processes.size(); ++i)
    if (children[i].settings.contains("redis.socket") && processes[i].is_healthy()) {
      processes[i].is_serving = false;
      processes[i].reason = "waiting for redis";
    }
}

std::int64_t provisioner_start(const ProcessTable& table) {
  const auto known = table.find("provisioner");
  return known == table.end() ? 0 : known->second.started_unix_ms;
}

std::map<std::string, std::int64_t> provisioners_of(const StateDirectory& state,
                                                    const Deployment& deployment,
                                                    const ProcessTable& table) {
  std::map<std::string, std::int64_t> started;
  const auto& options = deployment.options;
  for (std::uint32_t i = 1; i <= options.rack_hosts; ++i)
    started[rack_host_id(i)] = provisioner_start(load_processes(rack_state(state, i)));
  if (options.is_simulated) started["simulated"] = provisioner_start(table);
  if (has_own_host(options)) started[deployment.host_id] = provisioner_start(table);
  return started;
}

}  // namespace

std::vector<ProcessHealth> check_host(const StateDirectory& state, const HostDeployment& host,
                                      core::Milliseconds timeout) {
  std::vector<ProcessHealth> processes;
  const auto table = load_processes(state);
  for (const auto& child : plan_host_children(state, host, programs_folder())) {
    ProcessHealth process{.name = child.name};
    if (const auto known = table.find(child.name); known != table.end())
      process.entry = known->second;
    process.is_running = is_alive(process.entry.process);
    if (!process.is_running)
      process.reason = "not running";
    else if (child.name == "provisioner" &&
             !is_healthy_at("http://" + host.metrics_listen, timeout))
      process.reason = "not connected to the head";
    else
      process.reason = problem_of(child.name, state, {}, timeout);
    process.is_serving = process.reason.empty();
    processes.push_back(std::move(process));
  }
  return processes;
}

std::string problem_of(const std::vector<ProcessHealth>& processes) {
  for (const auto& process : processes)
    if (!process.is_healthy()) return process.name + ": " + process.reason;
  return {};
}

std::string gateway_url(const Options& options) {
  return url_at(options, host_of(options.tls, own_address(options)));
}

Health check_health(const StateDirectory& state, const Deployment& deployment, Caller& caller,
                    core::Milliseconds timeout) {
  Health health;
  const auto table = load_processes(state);
  const auto children = plan_children(state, deployment, programs_folder());
  auto hosts = caller.call_async(msg::ListHosts{.page = {.limit = msg::page_entries_max}},
                                 {.deadline = timeout});
  std::vector<StatusFuture> statuses;
  for (const auto& child : children)
    statuses.push_back(child.bus_name.empty() || child.name == "gateway"
                           ? StatusFuture{}
                           : caller.call_async(msg::GetProcessStatus{},
                                               {.to = child.bus_name, .deadline = timeout}));
  for (std::size_t i = 0; i < children.size(); ++i) {
    ProcessHealth process{.name = children[i].name};
    if (const auto known = table.find(process.name); known != table.end())
      process.entry = known->second;
    process.is_running = is_alive(process.entry.process);
    if (statuses[i].valid())
      process.reason = problem_of(statuses[i].get());
    else if (process.is_running)
      process.reason = problem_of(process.name, state, deployment.options, timeout);
    if (!process.is_running) process.reason = "not running";
    process.is_serving = process.reason.empty();
    health.processes.push_back(std::move(process));
  }
  mark_without_redis(health.processes, children);
  health.provisioners = provisioners_of(state, deployment, table);
  auto listed = hosts.get();
  if (!listed) {
    health.hosts_reason = listed.error().detail;
    return health;
  }
  health.hosts = std::move(listed->hosts);
  if (listed->next.empty()) return health;
  auto rest =
      call_all_pages(caller, msg::ListHosts{.page = {.after = listed->next}}, &msg::Hosts::hosts);
  if (rest)
    std::ranges::move(*rest, std::back_inserter(health.hosts));
  else
    health.hosts_reason = rest.error().detail;
  return health;
}

std::string Health::problem(const Options& options) const {
  if (auto first = problem_of(processes); !first.empty()) return first;
  const std::size_t expected =
      options.is_simulated ? options.host_count : std::max(options.rack_hosts, std::uint32_t{1});
  const auto up = static_cast<std::size_t>(
      std::ranges::count_if(hosts, [&](const auto& host) { return is_up(host, provisioners); }));
  if (up >= expected) return {};
  std::string reason;
  for (const auto& host : hosts)
    if (!is_up(host, provisioners) && !host.reason.empty())
      reason = ": " + host.host_id.value + ": " + host.reason;
  return std::to_string(up) + " of " + std::to_string(expected) + " hosts are up" + reason;
}

bool Health::is_ready(const Options& options) const {
  return problem(options).empty();
}

}  // namespace nucleus::operator_
