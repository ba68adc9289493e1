// Checks whether each process of a deployment runs and responds: services over the bus, the gateway
// over HTTP, Redis and libvirtd at their sockets.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "messages/scheduler.hpp"
#include "operator/caller.hpp"
#include "operator/deployment.hpp"
#include "operator/processes.hpp"

namespace nucleus::operator_ {

struct ProcessHealth {
  std::string name = {};
  ProcessEntry entry = {};
  bool is_running = false;
  bool is_serving = false;  // responds, and accepts requests
  std::string reason = {};  // if it is not healthy
  bool is_healthy() const { return is_running && is_serving; }
};

struct Health {
  std::vector<ProcessHealth> processes = {};
  std::vector<msg::Host> hosts = {};
  std::string hosts_reason = {};  // why hosts are missing here; empty = all are listed
  /// When the provisioners of the hosts that `up` starts were started, by host; of simulated hosts
  /// by process.
  std::map<std::string, std::int64_t> provisioners = {};
  /// Every process is healthy, and every host is up or drained.
  bool is_ready(const Options& options) const;
  /// The first problem, in one line; empty if there is none.
  std::string problem(const Options& options) const;
};

/// Checks all processes at the same time, for no longer than `timeout`.
Health check_health(const StateDirectory& state, const Deployment& deployment, Caller& caller,
                    core::Milliseconds timeout);

/// The processes of a joined host. Its provisioner is healthy while it is connected to the head.
std::vector<ProcessHealth> check_host(const StateDirectory& state, const HostDeployment& host,
                                      core::Milliseconds timeout);
/// The first problem of these, in one line; empty if there is none.
std::string problem_of(const std::vector<ProcessHealth>& processes);

/// http://ADDRESS:PORT of the gateway as this machine reaches it; with TLS https, and the host name
/// of the certificate.
std::string gateway_url(const Options& options);

}  // namespace nucleus::operator_
