// The consoles of this host's domains: finds them, connects them with the console service when it
// asks, and keeps their logs within their limit. Runs on the service's loop.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/bus/bus.hpp"
#include "core/loop/loop.hpp"
#include "core/state/store.hpp"
#include "services/provisioner/config.hpp"
#include "services/provisioner/domains.hpp"
#include "services/provisioner/driver/console_streams.hpp"
#include "services/provisioner/grants.hpp"
#include "services/provisioner/hypervisor_watch.hpp"

namespace nucleus::provisioner {

class Consoles {
 public:
  struct Sources {
    core::Loop& loop;
    core::Workers& workers;
    const Config& config;
    core::Store& store;
    const Grants& grants;
    const Domains& domains;
    const HypervisorWatch& watch;
    std::shared_ptr<Hypervisor> hypervisor;
  };

  explicit Consoles(Sources sources);
  ~Consoles();
  Consoles(const Consoles&) = delete;
  Consoles& operator=(const Consoles&) = delete;

  void check(const msg::CheckConsole& request, core::Responder<msg::ConsoleFound> respond);
  void stream(const msg::StreamConsole& request, core::Responder<msg::Done> respond);
  /// Shortens the logs, and removes those of domains that are not in `kept`, if it is known.
  void limit_logs(std::optional<std::set<std::string>> kept);

 private:
  struct Found {
    ConsolePaths paths = {};
    std::uint64_t epoch = 0;  // of the grant that the domain runs under
  };
  using Respond = core::Responder<Found>;
  void find(const msg::NodeId& node_id, msg::ConsoleKind kind, Respond respond);
  core::Result<Found> usable(core::Result<Found> found, msg::ConsoleKind kind) const;
  std::optional<Found> planned(const msg::NodeId& node_id) const;
  std::string log_of_ended(const msg::StreamConsole& request) const;
  void stream_rest(const msg::StreamConsole& request, const core::Error& refused,
                   const core::Responder<msg::Done>& respond);
  const StoredGrant* running_grant(const msg::NodeId& node_id) const;

  Sources sources_;
  std::unique_ptr<ConsoleStreams> streams_;  // null = no console service is configured
  bool is_limiting_logs_ = false;
  std::shared_ptr<Consoles*> self_ = std::make_shared<Consoles*>(this);  // for what comes later
};

}  // namespace nucleus::provisioner
