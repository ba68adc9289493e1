// The console service: issues single-use tickets, and connects a viewer's WebSocket with the stream
// of the console, which its host opens when asked. The gateway decides who gets a ticket.
#pragma once

#include <list>

#include "core/runtime/runtime.hpp"
#include "messages/console.hpp"
#include "messages/people.hpp"
#include "services/console/config.hpp"
#include "services/console/driver/console_proxy.hpp"
#include "services/console/metrics.hpp"
#include "services/console/recording_book.hpp"
#include "services/console/ticket_book.hpp"

namespace nucleus::console {

class Service {
 public:
  /// Throws std::runtime_error if the endpoint cannot be bound.
  Service(core::Runtime& runtime, Config config);

  /// ADDRESS:PORT for viewers.
  std::string address() const { return proxy_->endpoint().text(); }
  /// ADDRESS:PORT for hosts.
  std::string address_for_hosts() const { return proxy_->endpoint_for_hosts().text(); }

 private:
  void issue_ticket(const msg::IssueTicket& request, core::Context& context,
                    core::Responder<msg::ConsoleTicket> respond);
  void write_ticket(const msg::IssueTicket& request, std::uint64_t epoch,
                    const core::Responder<msg::ConsoleTicket>& respond);
  void take_ticket(const std::string& ticket, const std::string& origin,
                   std::function<void(core::Result<Console>)> done);
  void ask_host(const msg::HostId& host_id, const msg::StreamConsole& request,
                std::function<void(core::Result<void>)> done);
  void use_up(const std::string& ticket, const StoredTicket& stored, const msg::Principal& who,
              std::function<void(core::Result<Console>)> done);

  /// A session that is open or being opened.
  struct Open {
    StoredTicket ticket = {};
    std::string session_id = {};
    std::int64_t right_end_unix_s = 0;  // of its token; 0 = none
    std::weak_ptr<SessionRight> right = {};
  };
  void ask_registry(const StoredTicket& ticket,
                    std::function<void(core::Result<msg::Principal>)> done);
  /// Asks the registry whether the project's consoles are recorded, and does so.
  void ask_policy(const msg::ProjectId& project_id, std::function<void(core::Result<void>)> done);
  core::Result<void> follow_policy(const msg::ProjectDefined& change, core::Context& context);
  void recheck_all();
  void recheck(const Open& open);
  core::Result<void> end_rights(const msg::CredentialsChanged& change, core::Context& context);
  void end_expired();
  /// The URL given to viewers.
  std::string url() const;
  void drop_expired(core::Context& context);
  void change_session(const std::string& session_id, bool is_writer, bool has_typed);
  /// Of sessions that are stored and not open.
  void close_sessions();

  core::Runtime& runtime_;
  Config config_;
  Metrics metrics_;
  TicketBook tickets_;
  RecordingBook recordings_;
  std::list<Open> open_ = {};
  std::unique_ptr<ConsoleProxy> proxy_ = {};  // last: it calls into the others
};

}  // namespace nucleus::console
