// The console service: issues single-use tickets, and joins a viewer's WebSocket to the console's
// socket. Who may have a ticket is the gateway's question; what runs where is the provisioner's.
#pragma once

#include "core/runtime/runtime.hpp"
#include "messages/console.hpp"
#include "services/console/config.hpp"
#include "services/console/metrics.hpp"
#include "services/console/ticket_book.hpp"

namespace nucleus::console {

class Service {
 public:
  /// Throws where the address cannot be bound.
  Service(core::Runtime& runtime, Config config);

  /// ADDRESS:PORT where viewers are served.
  std::string address() const { return server_->address(); }

 private:
  void issue_ticket(const msg::IssueTicket& request, core::Context& context,
                    core::Responder<msg::ConsoleTicket> respond);
  void write_ticket(const msg::IssueTicket& request, const msg::ConsoleEndpoint& endpoint,
                    const core::Responder<msg::ConsoleTicket>& respond);
  void take_ticket(const std::string& ticket, std::function<void(core::Result<Console>)> done);
  /// Where viewers reach us.
  std::string url() const;
  void drop_expired(core::Context& context);

  core::Runtime& runtime_;
  Config config_;
  Metrics metrics_;
  TicketBook tickets_;
  std::unique_ptr<ConsoleServer> server_ = {};  // last: it calls into the others
};

}  // namespace nucleus::console
