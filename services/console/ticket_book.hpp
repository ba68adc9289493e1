// Issues tickets and uses them up: each opens once, expires, and their number is limited. It alone
// writes their records, which have the ticket's hash.
#pragma once

#include <functional>
#include <map>

#include "core/state/store.hpp"
#include "services/console/records.hpp"

namespace nucleus::console {

struct TicketLimits {
  std::int64_t life_s = 60;
  std::size_t unused_max = 10'000;  // written, and neither used nor removed
  std::size_t unused_per_person_max = 500;
};

class TicketBook {
 public:
  /// A new ticket. It is shown once.
  struct Written {
    std::string ticket = {};
    std::int64_t expires_unix_ms = 0;
  };

  TicketBook(core::Store& store, TicketLimits limits);

  /// Writes a ticket; do not show it before the store is durable. `no_capacity`: too many unused,
  /// of this person or of all.
  core::Result<Written> write(const msg::IssueTicket& request, std::uint64_t epoch,
                              const core::Context& context);
  /// What a ticket opens. `forbidden`: unknown, used or expired.
  core::Result<StoredTicket> find(const std::string& ticket, const core::Context& context) const;
  /// Uses a ticket up, and opens a session with it; `done` is called when that is durable.
  /// `forbidden`: unknown, used or expired.
  void take(const std::string& ticket, const msg::ConsoleSession& session,
            const core::Context& context, std::function<void(core::Result<StoredTicket>)> done);
  /// Removes expired tickets.
  void drop_expired(const core::Context& context);

  std::size_t unused() const { return unused_; }

 private:
  core::Result<void> ready() const;
  void forget(const StoredTicket& ticket);

  core::Store& store_;
  TicketLimits limits_;
  std::size_t unused_ = 0;
  std::map<msg::PersonId, std::size_t> unused_by_person_ = {};  // never 0
};

}  // namespace nucleus::console
