// The next step that brings a domain to its grant: pure.
#pragma once

#include <cstdint>
#include <optional>

#include "services/provisioner/driver/hypervisor.hpp"
#include "services/provisioner/records.hpp"

namespace nucleus::provisioner {

enum class Step {
  none,       // as wanted
  create,     //
  destroy,    //
  shut_down,  // ask the guest
  reboot,     //
  reset,      //
  record,     // that it runs: it was seen before its grant was known
  end,        // record that it is over
  forget      // remove the record
};

/// `seen`: the domain of this grant's name, where there is one. `is_fenced`: the host's lease is
/// over. `is_asked`: the guest was asked to shut down since this process began.
Step next_step(const StoredGrant& stored, const std::optional<DomainSeen>& seen, bool is_fenced,
               bool is_asked, std::int64_t now_unix_ms);

}  // namespace nucleus::provisioner
