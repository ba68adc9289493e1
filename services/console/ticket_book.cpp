#include "services/console/ticket_book.hpp"

#include "core/digest/digest.hpp"
#include "services/console/keys.hpp"
#include "services/console/secrets.hpp"

namespace nucleus::console {

using core::ErrorCode;

TicketBook::TicketBook(core::Store& store, TicketLimits limits) : store_{store}, limits_{limits} {
  store_.on_loaded([this] {
    unused_ = 0;
    unused_by_person_.clear();
    store_.for_each<StoredTicket>(keys::tickets(), [this](const StoredTicket& ticket) {
      ++unused_;
      ++unused_by_person_[ticket.person_id];
    });
  });
}

core::Result<TicketBook::Written> TicketBook::write(const msg::IssueTicket& request,
                                                    std::uint64_t epoch,
                                                    const core::Context& context) {
  if (auto loaded = ready(); !loaded) return std::unexpected(loaded.error());
  const auto known = unused_by_person_.find(request.person_id);
  if (unused_ >= limits_.unused_max ||
      (known != unused_by_person_.end() && known->second >= limits_.unused_per_person_max))
    return core::refuse(ErrorCode::no_capacity, "too many console tickets are unused");
  const Written written{.ticket = new_ticket(),
                        .expires_unix_ms = context.now_unix_ms() + limits_.life_s * 1000};
  const std::string hash = core::sha256_hex(written.ticket);
  auto tx = store_.begin(context);
  tx.write(keys::ticket(hash), StoredTicket{.hash = hash,
                                            .node_id = request.node_id,
                                            .kind = request.kind,
                                            .host_id = request.host_id,
                                            .person_id = request.person_id,
                                            .expires_unix_ms = written.expires_unix_ms,
                                            .project_id = request.project_id,
                                            .token_id = request.token_id,
                                            .person_uid = request.person_uid,
                                            .cluster_id = request.cluster_id,
                                            .node_name = request.node_name,
                                            .epoch = epoch,
                                            .origin = request.origin});
  if (auto landed = tx.commit(); !landed) return std::unexpected(landed.error());
  ++unused_;
  ++unused_by_person_[request.person_id];
  return written;
}

core::Result<StoredTicket> TicketBook::find(const std::string& ticket,
                                            const core::Context& context) const {
  if (auto loaded = ready(); !loaded) return std::unexpected(loaded.error());
  const StoredTicket* found = store_.read(keys::ticket(core::sha256_hex(ticket)));
  if (!found || found->expires_unix_ms <= context.now_unix_ms())
    return core::refuse(ErrorCode::forbidden, "the ticket is unknown, used or expired");
  return *found;
}

void TicketBook::take(const std::string& ticket, const msg::ConsoleSession& session,
                      const core::Context& context,
                      std::function<void(core::Result<StoredTicket>)> done) {
  const auto found = find(ticket, context);
  if (!found) return done(std::unexpected(found.error()));
  const StoredTicket taken = *found;
  auto tx = store_.begin(context);
  tx.remove(keys::ticket(taken.hash));
  tx.write(keys::session(session.session_id), StoredSession{session});
  tx.emit(msg::ConsoleSessionChanged{session});
  if (auto landed = tx.commit(); !landed) return done(std::unexpected(landed.error()));
  forget(taken);
  // Removed durably before anything opens: after a crash it must not be usable again.
  store_.when_durable([taken, done = std::move(done)](const core::Result<void>& durable) {
    if (!durable) return done(std::unexpected(durable.error()));
    done(taken);
  });
}

void TicketBook::drop_expired(const core::Context& context) {
  std::vector<StoredTicket> expired;
  store_.for_each<StoredTicket>(keys::tickets(), [&](const StoredTicket& ticket) {
    if (ticket.expires_unix_ms <= context.now_unix_ms()) expired.push_back(ticket);
  });
  if (expired.empty()) return;
  auto tx = store_.begin(context);
  for (const auto& ticket : expired) tx.remove(keys::ticket(ticket.hash));
  if (!tx.commit()) return;
  for (const auto& ticket : expired) forget(ticket);
}

void TicketBook::forget(const StoredTicket& ticket) {
  --unused_;
  const auto held = unused_by_person_.find(ticket.person_id);
  if (--held->second == 0) unused_by_person_.erase(held);
}

core::Result<void> TicketBook::ready() const {
  if (store_.is_loaded()) return {};
  return core::refuse(ErrorCode::unavailable, "the console service is loading its records");
}

}  // namespace nucleus::console
