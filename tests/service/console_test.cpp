// What a ticket opens, how often, and what a viewer is shown if it opens nothing.
#include <fstream>

#include "tests/service/console_room.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using msg::ConsoleKind;

class Console : public ConsoleRoom {};

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
  EXPECT_EQ(viewer->read_to("login: "), std::string(64 * 1024 - 15, '.') + "booting login: ");
  EXPECT_TRUE(viewer->is_binary());
  const std::string bytes("root\r\n\0\xff\x1b[A", 12);
  viewer->write(bytes);
  EXPECT_EQ(viewer->read_to(bytes), bytes);
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
  EXPECT_EQ(in_url.open("nucleus.console"), 401U);
  for (const char* query : {"?from=x", "?from=1x", "?mode=write", "?unknown=1"})
    EXPECT_EQ(Viewer(ticket->url + query).open(offered(*ticket)), 400U) << query;
  Viewer viewer(ticket->url);
  EXPECT_EQ(viewer.open(offered(*ticket)), 101U);
}

TEST_F(Console, RefusesThePageOfAnotherOriginAndLeavesTheTicketUnused) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto ticket = issue();
  ASSERT_TRUE(ticket);
  Viewer foreign(ticket->url);
  EXPECT_EQ(foreign.open(offered(*ticket), "https://evil.example"), 403U);
  EXPECT_EQ(foreign.body(), R"({"detail":"the ticket is not for pages of this origin"})");
  Viewer viewer(ticket->url);
  EXPECT_EQ(viewer.open(offered(*ticket), "https://portal.example"), 101U);
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

TEST_F(Console, ShowsAConsoleThatAnotherClientHasAndSaysThatNothingCanBeTyped) {
  // Like QEMU while another client has the serial console: connects succeed, none is accepted.
  ConsoleSocket qemu(socket_of("n1"), "login: ", ConsoleSocket::Manner::accepts_nobody);
  start();
  const auto viewer = attach(issue());
  EXPECT_EQ(viewer->read_to("login: "), "login: ");
  EXPECT_NE(viewer->read_text_to("in use").find("the console is in use by another client"),
            std::string::npos);
}

TEST_F(Console, TakesAFullBacklogAsInUse) {
  ConsoleSocket qemu(socket_of("n2"), "login: ", ConsoleSocket::Manner::accepts_nobody);
  ConsoleClient one(socket_of("n2")), two(socket_of("n2"));  // a backlog of 1 has room for two
  start();
  const auto viewer = attach(issue("n2"));
  EXPECT_EQ(viewer->read_to("login: "), "login: ");
  EXPECT_NE(viewer->read_text_to("in use").find("refused"), std::string::npos);
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
