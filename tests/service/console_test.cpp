// The console service on a real bus, Redis, WebSocket and unix socket, with a host's streams over
// TLS: what a ticket opens, how often, and what a viewer is shown if it opens nothing.
#include <gtest/gtest.h>

#include <fstream>

#include "core/tls/authority.hpp"
#include "messages/people.hpp"
#include "services/console/service.hpp"
#include "services/provisioner/driver/console_streams.hpp"
#include "tests/support/console_socket.hpp"
#include "tests/support/curve_bus.hpp"
#include "tests/support/rooms.hpp"
#include "tests/support/viewer.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using msg::ConsoleKind;

/// What a host's provisioner does, with known sockets in place of a hypervisor's.
class ConsoleHost {
 public:
  using Paths = std::map<std::string, provisioner::ConsolePaths>;
  ConsoleHost(core::Runtime& runtime, const Paths& paths,
              const provisioner::ConsoleServiceAddress& service)
      : paths_{paths}, streams_{service} {
    runtime.bus.serve<msg::CheckConsole>(*this, &ConsoleHost::check);
    runtime.bus.serve<msg::StreamConsole>(*this, &ConsoleHost::stream);
  }

 private:
  core::Result<msg::Done> check(const msg::CheckConsole& request, core::Context&) {
    if (paths_.contains(request.node_id.value)) return msg::Done{};
    return core::refuse(ErrorCode::wrong_state, "the domain does not run");
  }
  core::Result<msg::Done> stream(const msg::StreamConsole& request, core::Context&) {
    if (request.node_id.value == "ended")
      return core::refuse(ErrorCode::wrong_state, "the domain has ended");
    streams_.begin(paths_.at(request.node_id.value), request.kind, request.token);
    return msg::Done{};
  }

  const Paths& paths_;
  provisioner::ConsoleStreams streams_;
};

/// In place of the registry: `person` and the rights of the tokens that exist.
struct Credentials {
  std::mutex mutex = {};
  std::string uid = "u1";
  std::map<std::string, msg::Principal> tokens = {
      {"", {.person_id = {"p1"}, .projects = {{"lab"}}, .rights = {msg::Right::console}}},
      {"t1", {.person_id = {"p1"}, .projects = {{"lab"}}, .rights = {msg::Right::console}}}};
};
struct CredentialRoom {
  Credentials& known;
  CredentialRoom(core::Runtime& runtime, Credentials& credentials) : known{credentials} {
    runtime.bus.serve<msg::RecheckCredential>(*this, &CredentialRoom::recheck);
  }
  core::Result<msg::Principal> recheck(const msg::RecheckCredential& request, core::Context&) {
    const std::scoped_lock lock(known.mutex);
    const auto found = known.tokens.find(request.token_id);
    if (found == known.tokens.end() ||
        (!request.person_uid.empty() && request.person_uid != known.uid))
      return core::refuse(ErrorCode::unauthenticated, "Invalid token.");
    return found->second;
  }
};

core::Result<std::shared_ptr<void>> build_console(core::Runtime& runtime) {
  auto config = console::Config::from(runtime.settings);
  if (!config) return std::unexpected(config.error());
  return std::make_shared<console::Service>(runtime, *config);
}

class Console : public testing::Test {
 protected:
  std::string socket_of(const std::string& node) const { return folder_.file(node + ".sock"); }
  std::string log_of(const std::string& node) const { return folder_.file(node + ".log"); }

  Console() {
    const core::CertificateFiles ca = files_of("ca");
    must(core::make_authority(ca, "test"));
    must(core::issue_certificate(ca, {.addresses = {"127.0.0.1"}}, files_of("head")));
    must(core::make_authority(files_of("other"), "another"));
  }

  static void must(const core::Result<void>& done) {
    if (!done) throw std::runtime_error(done.error().detail);
  }
  core::CertificateFiles files_of(const std::string& name) const {
    return {.certificate = folder_.file(name + ".pem"), .key = folder_.file(name + ".key")};
  }

  /// The host with the test's consoles; it trusts the CA of this name.
  void start_host(const std::string& ca = "ca") {
    host_.reset();
    const auto trust = core::Trust::open(files_of(ca).certificate);
    if (!trust) throw std::runtime_error(trust.error().detail);
    const provisioner::ConsoleServiceAddress service{
        .endpoint = {.address = "127.0.0.1", .port = hosts_port_}, .trust = *trust};
    host_ = std::make_unique<Process>(
        deployment_, "provisioner/h1", std::map<std::string, std::string>{},
        [this, service](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          return std::make_shared<ConsoleHost>(runtime, paths_, service);
        });
  }

  void start(std::map<std::string, std::string> settings = {}) {
    if (!host_) start_host();
    service_.reset();
    settings.insert({{"console.hosts_listen", "127.0.0.1:" + std::to_string(hosts_port_)},
                     {"console.hosts_tls_certificate", files_of("head").certificate},
                     {"console.hosts_tls_key", files_of("head").key}});
    service_ =
        std::make_unique<Process>(deployment_, "console", std::move(settings), build_console);
  }
  void kill_service() { service_.reset(); }

  core::Result<msg::ConsoleTicket> issue(const std::string& node = "n1",
                                         ConsoleKind kind = ConsoleKind::serial,
                                         const std::string& host = "h1") {
    return caller_.call(msg::IssueTicket{.node_id = {node},
                                         .kind = kind,
                                         .host_id = {host},
                                         .person_id = {"p1"},
                                         .project_id = {"lab"},
                                         .token_id = token_,
                                         .person_uid = "u1"},
                        {.deadline = wait_timeout});
  }
  /// Changes what the registry knows, and emits that the person's credentials changed.
  void change_credentials(const std::function<void(Credentials&)>& change) {
    {
      const std::scoped_lock lock(credentials_.mutex);
      change(credentials_);
    }
    ASSERT_TRUE(registry_.emit(msg::CredentialsChanged{.person_id = {"p1"}}));
  }
  static std::string offered(const msg::ConsoleTicket& ticket) {
    return "nucleus.console, nucleus.ticket." + ticket.ticket;
  }
  /// A viewer of the ticket's console that has read the prompt, if there is one.
  static std::unique_ptr<Viewer> open(const core::Result<msg::ConsoleTicket>& ticket,
                                      const std::string& prompt = {}) {
    if (!ticket) throw std::runtime_error(ticket.error().detail);
    auto viewer = std::make_unique<Viewer>(ticket->url);
    const auto status = viewer->open(offered(*ticket));
    if (status != 101) throw std::runtime_error("refused with " + std::to_string(status));
    if (!prompt.empty()) {
      EXPECT_EQ(viewer->read_to(prompt), prompt);
    }
    return viewer;
  }

  TemporaryFolder folder_ = {};
  ConsoleHost::Paths paths_ = {
      {"n1", {.serial_socket = socket_of("n1"), .serial_log = log_of("n1")}},
      {"n2", {.serial_socket = socket_of("n2"), .vnc_socket = socket_of("n2")}},
      {"ended", {}},
      {"long", {.serial_socket = "/" + std::string(200, 'x')}}};
  std::uint16_t hosts_port_ = static_cast<std::uint16_t>(free_port());
  Deployment deployment_ = {};
  std::unique_ptr<Process> host_ = {};
  Credentials credentials_ = {};
  std::string token_ = "t1";
  StandIn registry_{deployment_, "registry",
                    [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                      return std::make_shared<CredentialRoom>(runtime, credentials_);
                    }};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> service_ = {};
};

TEST_F(Console, ReplaysTheLogThenConnectsTheViewerWithTheSerialConsole) {
  std::ofstream(log_of("n1")) << "old" << std::string(64 * 1024 - 8, '.') << "booting ";
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto ticket = issue();
  ASSERT_TRUE(ticket) << ticket.error().detail;
  EXPECT_EQ(ticket->ticket.size(), 43U);
  EXPECT_EQ(ticket->url.find(ticket->ticket), std::string::npos);
  const auto viewer = open(ticket);
  EXPECT_EQ(viewer->protocol(), "nucleus.console");
  EXPECT_EQ(viewer->read_to("login: "), std::string(64 * 1024 - 8, '.') + "booting login: ");
  EXPECT_TRUE(viewer->is_binary());
  const std::string bytes("root\r\n\0\xff\x1b[A", 12);
  viewer->write(bytes);
  EXPECT_EQ(viewer->read_to(bytes), bytes);
}

TEST_F(Console, ConnectsViewersWithAVncConsoleOneAfterAnother) {
  ConsoleSocket qemu(socket_of("n2"), "RFB 003.008\n");
  start();
  for (int i = 0; i < 3; ++i) {
    const auto viewer = open(issue("n2", ConsoleKind::vnc));
    EXPECT_EQ(viewer->read_to("\n"), "RFB 003.008\n");
  }
}

TEST_F(Console, RefusesAUsedTicket) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto ticket = issue();
  ASSERT_TRUE(ticket);
  const auto first = open(ticket);
  Viewer second(ticket->url);
  EXPECT_EQ(second.open(offered(*ticket)), 403U);
  EXPECT_EQ(second.body(), R"({"detail":"the ticket is unknown, used or expired"})");
  EXPECT_EQ(first->read_to("login: "), "login: ");
}

TEST_F(Console, RefusesAnExpiredTicket) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start({{"console.ticket_s", "1"}});
  const auto ticket = issue();
  ASSERT_TRUE(ticket);
  // The service's clock decides: read it until it has passed the expiry.
  const auto is_over = [&] {
    return caller_.on_loop([&] { return caller_.loop().unix_ms() >= ticket->expires_unix_ms; });
  };
  const auto end = std::chrono::steady_clock::now() + wait_timeout;
  while (!is_over() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  Viewer viewer(ticket->url);
  EXPECT_EQ(viewer.open(offered(*ticket)), 403U);
}

TEST_F(Console, RefusesAViewerWithoutTicketOrProtocolAndLeavesTheTicketUnused) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto ticket = issue();
  ASSERT_TRUE(ticket);
  for (const std::string& said :
       {std::string(), std::string("nucleus.console"), "nucleus.ticket." + ticket->ticket}) {
    Viewer viewer(ticket->url);
    EXPECT_EQ(viewer.open(said), 401U) << said;
    EXPECT_NE(viewer.body().find("\"detail\""), std::string::npos);
  }
  Viewer in_url(ticket->url + "?ticket=" + ticket->ticket);
  EXPECT_EQ(in_url.open("nucleus.console"), 404U);
  Viewer viewer(ticket->url);
  EXPECT_EQ(viewer.open(offered(*ticket)), 101U);
}

TEST_F(Console, KeepsUnusedTicketsAndNoUsedOnesAcrossARestart) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto used = issue();
  const auto unused = issue();
  ASSERT_TRUE(used && unused);
  { const auto viewer = open(used); }
  start();
  const auto url = issue()->url;  // with the new port of viewers
  EXPECT_EQ(Viewer(url).open(offered(*used)), 403U);
  Viewer viewer(url);
  ASSERT_EQ(viewer.open(offered(*unused)), 101U);
  EXPECT_EQ(viewer.read_to("login: "), "login: ");
  EXPECT_EQ(Viewer(url).open(offered(*unused)), 403U);
}

TEST_F(Console, EndsASessionWithTheRightToIt) {
  const auto forget_token = [](Credentials& known) { known.tokens.erase("t1"); };
  const auto leave_project = [](Credentials& known) { known.tokens["t1"].projects.clear(); };
  const auto lose_right = [](Credentials& known) { known.tokens["t1"].rights = {}; };
  const auto another_person = [](Credentials& known) { known.uid = "u2"; };
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  for (const std::function<void(Credentials&)>& change :
       {std::function<void(Credentials&)>(forget_token),
        {leave_project},
        {lose_right},
        {another_person}}) {
    const auto used = issue();
    const auto unused = issue();
    ASSERT_TRUE(used && unused);
    const auto viewer = open(used, "login: ");
    change_credentials(change);
    EXPECT_EQ(viewer->read_to_close(), "the right to this console has ended");
    Viewer late(unused->url);
    EXPECT_EQ(late.open(offered(*unused)), 403U);
    EXPECT_EQ(late.body(), R"({"detail":"the right to this console has ended"})");
    change_credentials([](Credentials& known) {
      const auto tokens = Credentials().tokens;
      known.tokens = tokens;
      known.uid = "u1";
    });
  }
}

TEST_F(Console, KeepsASessionWhoseRightLastsWhenAnotherTokenIsRevoked) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto viewer = open(issue(), "login: ");
  change_credentials([](Credentials& known) { known.tokens.erase(""); });
  viewer->write("x");
  EXPECT_EQ(viewer->read_to("x"), "x");
}

TEST_F(Console, EndsASessionThatAPasswordOrApiKeyOpenedAtAnyChange) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  token_.clear();
  const auto viewer = open(issue(), "login: ");
  change_credentials([](Credentials&) {});
  EXPECT_EQ(viewer->read_to_close(), "the right to this console has ended");
}

TEST_F(Console, EndsASessionWhenItsTokenExpires) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto now_s = caller_.on_loop([&] { return caller_.loop().unix_ms(); }) / 1000;
  credentials_.tokens["t1"].expires_unix_s = now_s + 1;
  const auto viewer = open(issue());
  EXPECT_NE(viewer->read_to_close(), "");
}

TEST_F(Console, ReportsWhyNoTicketIsIssued) {
  start({{"console.tickets_max", "1"}});
  const auto expect_refused = [](const auto& reply, ErrorCode code, const std::string& detail) {
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, code);
    EXPECT_NE(reply.error().detail.find(detail), std::string::npos) << reply.error().detail;
  };
  expect_refused(issue("n1", ConsoleKind::serial, ""), ErrorCode::wrong_state,
                 "The VM is not running");
  expect_refused(issue("off"), ErrorCode::wrong_state, "the domain does not run");
  expect_refused(issue("n1", ConsoleKind::unknown), ErrorCode::invalid_argument, "kind");
  expect_refused(issue(""), ErrorCode::invalid_argument, "node_id");
  expect_refused(issue("n1", ConsoleKind::serial, "../h1"), ErrorCode::invalid_argument, "host_id");
  expect_refused(issue("n1", ConsoleKind::serial, "away"), ErrorCode::deadline_exceeded, "");
  ASSERT_TRUE(issue());
  expect_refused(issue(), ErrorCode::no_capacity, "too many console tickets");
}

TEST_F(Console, ClosesTheViewerWhenTheConsoleEnds) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto viewer = open(issue(), "login: ");
  qemu.hang_up();
  EXPECT_EQ(viewer->read_to_close(), "the console was closed");
}

TEST_F(Console, ClosesTheViewerWhenTheServiceStops) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto viewer = open(issue(), "login: ");
  kill_service();
  EXPECT_EQ(viewer->read_to_close(), "the console service stops");
}

TEST_F(Console, ShowsOneSerialConsoleToAllItsViewersAndTakesWhatEachTypes) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");  // it serves one client, as QEMU does
  start();
  const auto first = open(issue(), "login: ");
  const auto second = open(issue(), "login: ");
  second->write("x");
  EXPECT_EQ(second->read_to("x"), "x");
  EXPECT_EQ(first->read_to("x"), "x");
  first->write("y");
  EXPECT_EQ(first->read_to("y"), "y");
  EXPECT_EQ(second->read_to("y"), "y");
  const auto third = open(issue(), "login: xy");
  qemu.hang_up();
  for (const auto& viewer : {&first, &second, &third})
    EXPECT_EQ((*viewer)->read_to_close(), "the console was closed");
}

TEST_F(Console, KeepsTheStreamOfAViewerWhenAnotherLeaves) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto stays = open(issue(), "login: ");
  { const auto leaves = open(issue(), "login: "); }
  stays->write("x");
  EXPECT_EQ(stays->read_to("x"), "x");
}

TEST_F(Console, FreesTheConsoleOnceItsLastViewerHasLeft) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  auto left = qemu.client_left();
  { const auto viewer = open(issue(), "login: "); }
  EXPECT_EQ(left.wait_for(wait_timeout), std::future_status::ready);
  const auto again = open(issue(), "login: ");
}

TEST_F(Console, ReportsWhyTheHostOpensNoStream) {
  start();
  const auto viewer = open(issue("ended"));
  EXPECT_EQ(viewer->read_to_close(), "the domain has ended");
}

TEST_F(Console, ReportsAHostThatDoesNotConnect) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start_host("other");  // it rejects the console service's certificate
  start({{"console.host_connect_s", "1"}});
  const auto viewer = open(issue());
  EXPECT_EQ(viewer->read_to_close(), "the host did not connect");
}

TEST_F(Console, RefusesAHostWithoutAToken) {
  start({{"console.hosts_tls_certificate", ""}, {"console.hosts_tls_key", ""}});
  const std::string url = "ws://127.0.0.1:" + std::to_string(hosts_port_);
  for (const std::string& said : {std::string(), std::string("nucleus.stream"),
                                  std::string("nucleus.stream, nucleus.ticket.made-up")})
    EXPECT_EQ(Viewer(url + "/stream").open(said), 403U) << said;
  const auto ticket = issue();
  ASSERT_TRUE(ticket);
  EXPECT_EQ(Viewer(url + "/console").open(offered(*ticket)), 404U);
  EXPECT_EQ(Viewer(url + "/stream").open("nucleus.stream, nucleus.ticket." + ticket->ticket), 403U);
}

TEST_F(Console, ReportsAConsoleThatAcceptsNobodyAsInUse) {
  // Like QEMU while another client has the serial console: connects succeed, none is accepted.
  ConsoleSocket qemu(socket_of("n1"), "", ConsoleSocket::Manner::accepts_nobody);
  start();
  const auto viewer = open(issue());
  EXPECT_EQ(viewer->read_to_close(), "the console is in use by another client");
}

TEST_F(Console, ReportsAFullBacklogAsInUse) {
  ConsoleSocket qemu(socket_of("n2"), "", ConsoleSocket::Manner::accepts_nobody);
  ConsoleClient one(socket_of("n2")), two(socket_of("n2"));  // a backlog of 1 has room for two
  start();
  const auto viewer = open(issue("n2"));
  EXPECT_EQ(viewer->read_to_close(), "the console is in use by another client");
}

TEST_F(Console, ReportsThatTheSocketIsGone) {
  start();
  for (const auto& [node, reason] :
       {std::pair{"n1", "the console's socket is gone: No such file or directory"},
        std::pair{"long", "the console's path is too long"}}) {
    const auto viewer = open(issue(node));
    EXPECT_EQ(viewer->read_to_close(), reason);
  }
}

TEST_F(Console, ClosesOnAMessageOverTheLimit) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto viewer = open(issue(), "login: ");
  const std::string most(64 * 1024, 'x');
  viewer->write(most);
  std::string echoed;
  while (echoed.size() < most.size()) echoed += viewer->read_to("x");
  EXPECT_EQ(echoed, most);
  viewer->write(most + "x");
  viewer->read_to_close();
  EXPECT_EQ(viewer->close_code(), 1009U);
}

TEST_F(Console, DisconnectsAViewerThatTakesNoBytes) {
  ConsoleSocket qemu(socket_of("n1"), "", ConsoleSocket::Manner::floods);
  start({{"console.stall_s", "1"}});
  const auto ticket = issue();
  ASSERT_TRUE(ticket);
  auto left = qemu.client_left();
  const auto viewer = open(ticket);
  EXPECT_EQ(left.wait_for(wait_timeout), std::future_status::ready);
}

TEST_F(Console, DisconnectsASlowViewerThatHoldsUpAnother) {
  ConsoleSocket qemu(socket_of("n1"), "", ConsoleSocket::Manner::floods);
  start({{"console.stall_s", "3600"}, {"console.idle_s", "3600"}});
  const auto slow = open(issue());
  const auto fast = open(issue());
  constexpr std::size_t more_than_buffers = 64U << 20;
  EXPECT_TRUE(fast->skip(more_than_buffers));
  EXPECT_EQ(slow->read_to_close(), "too slow: others watch this console");
  EXPECT_EQ(slow->close_code(), 1013U);
  EXPECT_TRUE(fast->skip(1U << 20)) << "it goes on";
}

TEST_F(Console, WaitsForItsOnlyViewer) {
  ConsoleSocket qemu(socket_of("n1"), "", ConsoleSocket::Manner::floods);
  start({{"console.stall_s", "3600"}, {"console.idle_s", "3600"}});
  const auto slow = open(issue());
  { EXPECT_TRUE(open(issue())->skip(1)); }
  EXPECT_TRUE(slow->skip(64U << 20)) << "nobody else waits for it";
}

TEST_F(Console, DisconnectsAViewerThatAnswersNoPing) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start({{"console.idle_s", "1"}});
  const auto ticket = issue();
  ASSERT_TRUE(ticket);
  auto left = qemu.client_left();
  const auto viewer = open(ticket);
  EXPECT_EQ(left.wait_for(wait_timeout), std::future_status::ready);
}

TEST_F(Console, RefusesConnectionsOverTheLimit) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start({{"console.connections_max", "1"}});
  const auto one = issue();
  const auto two = issue();
  ASSERT_TRUE(one && two);
  const auto first = open(one);
  EXPECT_EQ(Viewer(two->url).open(offered(*two)), 503U);
  EXPECT_EQ(first->read_to("login: "), "login: ");
}

TEST_F(Console, AnswersPlainAndMalformedHttp) {
  start();
  const auto ticket = issue();
  ASSERT_TRUE(ticket);
  EXPECT_EQ(Viewer(ticket->url).get("/healthz"),
            (std::pair{200U, std::string(R"({"status":"ok"})")}));
  EXPECT_EQ(Viewer(ticket->url).get("/console").first, 426U);
  EXPECT_EQ(Viewer(ticket->url).get("/").first, 404U);
  EXPECT_TRUE(Viewer(ticket->url).send_raw("no request\r\n\r\n").starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(Viewer(ticket->url)
                  .send_raw("GET /console HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n")
                  .starts_with("HTTP/1.1 431"));
}

}  // namespace
}  // namespace nucleus::tests
