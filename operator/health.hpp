// Is each process of a deployment there and answering? Asked over the bus and, of the gateway, over
// HTTP.
#pragma once

#include <string>
#include <vector>

#include "messages/scheduler.hpp"
#include "operator/caller.hpp"
#include "operator/deployment.hpp"
#include "operator/processes.hpp"

namespace nucleus::op {

struct ProcessHealth {
  std::string name = {};
  ProcessEntry entry = {};
  bool is_running = false;
  bool is_answering = false;  // and takes requests
  std::string reason = {};    // where it does not answer
};

struct Health {
  std::vector<ProcessHealth> processes = {};
  std::vector<msg::Host> hosts = {};
  /// Everything answers, and every host is up or drained.
  bool is_ready(const Options& options) const;
  /// What is missing, in one line; empty where nothing is.
  std::string complaint(const Options& options) const;
};

/// Asks all at once and waits for no more than `patience`.
Health look(const StateDirectory& state, const Deployment& deployment, Caller& caller,
            core::Milliseconds patience);

/// http://ADDR:PORT of the gateway as this machine reaches it; with TLS https, and the host as the
/// certificate names it.
std::string gateway_url(const Options& options);

}  // namespace nucleus::op
