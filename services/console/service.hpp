// The console service: issues single-use tickets, and connects a viewer's WebSocket with the
// console's socket. The gateway decides who gets a ticket; the provisioner knows the sockets.
#pragma once

#include <list>

#include "core/runtime/runtime.hpp"
#include "messages/console.hpp"
#include "messages/people.hpp"
#include "services/console/config.hpp"
#include "services/console/metrics.hpp"
#include "services/console/ticket_book.hpp"

namespace nucleus::console {

class Service {
 public:
  /// Throws std::runtime_error if the endpoint cannot be bound.
  Service(core::Runtime& runtime, Config config);

  /// ADDRESS:PORT for viewers.
  std::string address() const { return proxy_->endpoint().text(); }

 private:
  void issue_ticket(const msg::IssueTicket& request, core::Context& context,
                    core::Responder<msg::ConsoleTicket> respond);
  void write_ticket(const msg::IssueTicket& request, const msg::ConsoleEndpoint& endpoint,
                    const core::Responder<msg::ConsoleTicket>& respond);
  void take_ticket(const std::string& ticket, std::function<void(core::Result<Console>)> done);
  void use_up(const std::string& ticket, std::int64_t right_end_unix_s,
              std::function<void(core::Result<Console>)> done);

  /// A session that is open or being opened.
  struct Open {
    StoredTicket ticket = {};
    std::int64_t right_end_unix_s = 0;  // of its token; 0 = none
    std::weak_ptr<SessionRight> right = {};
  };
  void ask_registry(const StoredTicket& ticket,
                    std::function<void(core::Result<msg::Principal>)> done);
  void recheck_all();
  void recheck(const Open& open);
  core::Result<void> end_rights(const msg::CredentialsChanged& change, core::Context& context);
  void end_expired();
  /// The URL given to viewers.
  std::string url() const;
  void drop_expired(core::Context& context);

  core::Runtime& runtime_;
  Config config_;
  Metrics metrics_;
  TicketBook tickets_;
  std::list<Open> open_ = {};
  std::unique_ptr<ConsoleProxy> proxy_ = {};  // last: it calls into the others
};

}  // namespace nucleus::console
