#include "operator/health.hpp"

#include <curl/curl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "messages/process.hpp"
#include "operator/tls.hpp"

namespace nucleus::op {

namespace {

bool accepts(const std::string& socket_path) {
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
  const bool is_open =
      connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(descriptor);
  return is_open;
}

std::string own_address(const Options& options) {
  return options.listen_address == "0.0.0.0" ? "127.0.0.1" : options.listen_address;
}

std::string url_at(const Options& options, const std::string& host) {
  return (options.tls.certificate.empty() ? "http://" : "https://") + host + ":" +
         std::to_string(options.listen_port);
}

bool is_gateway_healthy(const std::string& url, core::Milliseconds patience) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  if (!curl) return false;
  curl_easy_setopt(curl.get(), CURLOPT_URL, (url + "/healthz").c_str());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(patience.count()));
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  // Asked is whether it answers on this machine, whatever its certificate is for.
  curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(
      curl.get(), CURLOPT_WRITEFUNCTION,
      +[](char*, std::size_t size, std::size_t count, void*) { return size * count; });
  return curl_easy_perform(curl.get()) == CURLE_OK;
}

/// A state from before the provisioner's start is what is remembered of the host, not what it is.
bool is_up(const msg::Host& host, std::int64_t provisioner_started_unix_ms) {
  return (host.state == msg::HostState::up || host.state == msg::HostState::drained) &&
         host.last_heartbeat_unix_ms >= provisioner_started_unix_ms;
}

std::string shown(const msg::ProcessStatus& status) {
  return std::string(msg::name_of(status.state)) + ": " + status.reason;
}

}  // namespace

std::string gateway_url(const Options& options) {
  return url_at(options, host_of(options.tls, own_address(options)));
}

Health look(const StateDirectory& state, const Deployment& deployment, Caller& caller,
            core::Milliseconds patience) {
  Health health;
  const auto table = load_processes(state);
  const auto children = plan_children(state, deployment, programs_folder());
  std::vector<std::future<core::Result<msg::ProcessStatus>>> answers;
  auto hosts = caller.begin(msg::ListHosts{.page = {.limit = msg::page_entries_max}},
                            {.deadline = patience});
  for (const auto& child : children)
    answers.push_back(
        child.bus_name.empty() || child.name == "gateway"
            ? std::future<core::Result<msg::ProcessStatus>>{}
            : caller.begin(msg::GetProcessStatus{}, {.to = child.bus_name, .deadline = patience}));
  for (std::size_t i = 0; i < children.size(); ++i) {
    ProcessHealth process{.name = children[i].name};
    if (const auto known = table.find(process.name); known != table.end())
      process.entry = known->second;
    process.is_running = is_alive(process.entry.process);
    if (answers[i].valid()) {
      const auto answer = answers[i].get();
      process.is_answering = answer && answer->state == msg::ProcessState::serving;
      if (!process.is_answering) process.reason = answer ? shown(*answer) : answer.error().detail;
    } else if (process.name == "gateway") {
      process.is_answering =
          process.is_running &&
          is_gateway_healthy(url_at(deployment.options, own_address(deployment.options)), patience);
    } else if (process.name == "redis") {
      process.is_answering = accepts(state.redis_socket());
    } else if (process.name == "libvirtd") {
      process.is_answering = accepts(state.file("libvirt/run/libvirt-sock"));
    } else {
      process.is_answering = process.is_running;
    }
    if (!process.is_running) process.reason = "is not running";
    if (!process.is_answering && process.reason.empty()) process.reason = "does not answer";
    health.processes.push_back(std::move(process));
  }
  if (auto listed = hosts.get()) {
    health.hosts = std::move(listed->hosts);
    if (listed->next.empty()) return health;
    if (auto rest = call_all_pages(caller, msg::ListHosts{.page = {.after = listed->next}},
                                   &msg::Hosts::hosts))
      std::ranges::move(*rest, std::back_inserter(health.hosts));
  }
  return health;
}

std::string Health::complaint(const Options& options) const {
  for (const auto& process : processes)
    if (!process.is_running || !process.is_answering) return process.name + " " + process.reason;
  const std::size_t wanted = options.is_simulated ? options.host_count : 1;
  const auto provisioner = std::ranges::find(processes, "provisioner", &ProcessHealth::name);
  const auto started = provisioner == processes.end() ? 0 : provisioner->entry.started_unix_ms;
  const auto up = static_cast<std::size_t>(
      std::ranges::count_if(hosts, [&](const auto& host) { return is_up(host, started); }));
  if (up < wanted) {
    std::string why;
    for (const auto& host : hosts)
      if (!is_up(host, started) && !host.reason.empty())
        why = ": " + host.host_id.value + " " + host.reason;
    return std::to_string(up) + " of " + std::to_string(wanted) + " hosts are up" + why;
  }
  return {};
}

bool Health::is_ready(const Options& options) const {
  return complaint(options).empty();
}

}  // namespace nucleus::op
