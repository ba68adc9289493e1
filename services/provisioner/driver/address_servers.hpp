// Answers DHCP and DNS in the private networks of this host's clusters, if Nucleus does: a process
// of dnsmasq for each cluster, in a network namespace of its own, whose only interface is a port of
// the host's switch in the cluster's VLAN. It outlives the provisioner, and is found again by its
// directory. Calls block, so they run on workers; they may be repeated, or cut off at any point.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "services/provisioner/address_plan.hpp"

namespace nucleus::provisioner {

class AddressServers {
 public:
  struct Options {
    std::string directory = {};          // has one of each cluster, named by its VLAN
    std::string bridge = {};             // of Open vSwitch
    std::string network_namespace = {};  // of its interfaces; empty = our own
    std::string tap_prefix = {};         // of the names of ports, with the dash
  };

  explicit AddressServers(Options options) : options_{std::move(options)} {}

  /// The cluster is served as planned once this returns; nothing changes if it is already.
  core::Result<void> prepare(const AddressService& service);

  /// Call before the services for `serve` are planned.
  std::uint64_t begin_serve() { return ++now_; }
  /// Prepares the services of clusters with nodes here. If `is_complete`, ends all others, except
  /// those prepared since `begun`. Whether one was started or ended: the switch has other ports.
  bool serve(const std::vector<AddressService>& wanted, std::uint64_t begun, bool is_complete);

 private:
  core::Result<bool> apply(const AddressService& service);
  core::Result<void> start(const AddressService& service);
  core::Result<void> connect(const AddressService& service, pid_t pid) const;
  core::Result<void> remove_port(const std::string& device) const;
  core::Result<void> stop(std::uint16_t vlan);
  std::string directory_of(std::uint16_t vlan) const;

  const Options options_;
  std::mutex mutex_ = {};  // held by prepare() and serve()
  std::atomic<std::uint64_t> now_ = 0;
  std::map<std::uint16_t, std::uint64_t> prepared_ = {};  // by VLAN
};

}  // namespace nucleus::provisioner
