// Tells idle domains from busy ones by what the host counts of them: processor time, and bytes of
// disks and ports. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

class Activity {
 public:
  /// A domain is idle while it does less than each of these, on average between two looks.
  struct Limits {
    double cpu_share = 0;          // of its vCPUs, 0..1
    std::int64_t bytes_per_s = 0;  // read, written, received and sent together
  };

  explicit Activity(const Limits& limits) : limits_{limits} {}

  /// Takes counters of running domains. One that restarted, whose counters are smaller than before,
  /// counts as new; one that was not seen for ten minutes is forgotten.
  void take(const std::vector<DomainUsage>& usage, std::int64_t now_ms);

  /// Since when it is idle; none if it was busy at the last look, or was not seen then. A new one
  /// is idle from its first look on, as nothing is known of the time before.
  std::optional<std::int64_t> idle_since_ms(const std::string& uuid) const;

 private:
  struct Domain {
    DomainUsage last = {};
    std::int64_t seen_ms = 0;
    std::optional<std::int64_t> idle_since_ms = {};
  };

  bool is_idle(const DomainUsage& before, const DomainUsage& now, std::int64_t elapsed_ms) const;

  Limits limits_;
  std::map<std::string, Domain> domains_ = {};  // by uuid
  std::int64_t looked_ms_ = 0;
};

}  // namespace nucleus::provisioner
