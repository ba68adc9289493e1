// The rules of tickets: how many may wait, how long each lives, that each opens once. It alone
// writes their records; what is kept of a ticket is its hash.
#pragma once

#include <functional>

#include "core/state/store.hpp"
#include "services/console/records.hpp"

namespace nucleus::console {

struct TicketLimits {
  std::int64_t life_s = 60;
  std::size_t waiting_max = 10'000;  // written and neither used nor swept
};

class TicketBook {
 public:
  /// A ticket as it is shown, once.
  struct Written {
    std::string ticket = {};
    std::int64_t expires_unix_ms = 0;
  };

  TicketBook(core::Store& store, TicketLimits limits);

  /// Writes a ticket; show it only once the store is durable. `no_capacity`: too many wait.
  core::Result<Written> write(const msg::IssueTicket& request, const msg::ConsoleEndpoint& endpoint,
                              const core::Context& context);
  /// Uses a ticket up; answers when that is durable. `forbidden`: unknown, used or too old.
  void take(const std::string& ticket, const core::Context& context,
            std::function<void(core::Result<StoredTicket>)> done);
  /// Removes what is too old to be used.
  void drop_expired(const core::Context& context);

  std::size_t waiting() const { return waiting_; }

 private:
  core::Result<void> ready() const;

  core::Store& store_;
  TicketLimits limits_;
  std::size_t waiting_ = 0;
};

}  // namespace nucleus::console
