// Viewers of one console: what they share, and which of them are disconnected.
#include "tests/service/console_room.hpp"

namespace nucleus::tests {
namespace {

using msg::ConsoleKind;

/// Greets its clients, one after another, and returns what they send.
class VncSocket {
 public:
  explicit VncSocket(const std::string& path) : listener_{socket(AF_UNIX, SOCK_STREAM, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 4) != 0)
      throw std::runtime_error("the socket cannot be bound");
    thread_ = std::jthread([this] {
      for (int client = -1; (client = accept(listener_, nullptr, nullptr)) >= 0;) {
        std::array<char, 64> bytes{};
        std::string_view greeting = "RFB 003.008\n";
        auto size = send(client, greeting.data(), greeting.size(), MSG_NOSIGNAL);
        while (size > 0 && (size = recv(client, bytes.data(), bytes.size(), 0)) > 0)
          size = send(client, bytes.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL);
        close(client);
      }
    });
  }
  ~VncSocket() {
    shutdown(listener_, SHUT_RDWR);  // ends accept()
    thread_.join();
    close(listener_);
  }
  VncSocket(const VncSocket&) = delete;
  VncSocket& operator=(const VncSocket&) = delete;

 private:
  int listener_;
  std::jthread thread_ = {};
};

class ConsoleViewers : public ConsoleRoom {};

TEST_F(ConsoleViewers, ConnectsViewersWithAVncConsoleOneAfterAnother) {
  VncSocket qemu(socket_of("vnc"));
  start();
  for (int i = 0; i < 3; ++i) {
    const auto viewer = open(issue("n2", ConsoleKind::vnc));
    EXPECT_EQ(viewer->read_to("\n"), "RFB 003.008\n");
  }
}

TEST_F(ConsoleViewers, KeepsTheInputOfAWatchingViewerFromAVncConsole) {
  using std::string_literals::operator""s;
  const auto handshake = "RFB 003.008\n\x01\x01"s;
  const auto key = "\x04\x01\x00\x00\x00\x00\x00\x61"s;
  const auto request = "\x03\x01\x00\x00\x00\x00\x04\x00\x03\x00"s;
  VncSocket qemu(socket_of("vnc"));
  start();
  for (const auto& [query, returned] :
       {std::pair{"?mode=read", handshake + request}, {"", handshake + key + request}}) {
    const auto viewer = attach(issue("n2", ConsoleKind::vnc), query);
    EXPECT_EQ(viewer->read_to("\n"), "RFB 003.008\n");
    viewer->write(handshake + key);
    viewer->write(request);
    EXPECT_EQ(viewer->read_to(request), returned) << query;
  }
  const auto viewer = attach(issue("n2", ConsoleKind::vnc), "?mode=read");
  viewer->write(handshake + "\x07");
  EXPECT_EQ(viewer->read_to_close(), "a viewer that only watches sent an unknown message: 7");
  EXPECT_EQ(viewer->close_code(), 1008U);
}

TEST_F(ConsoleViewers, ShowsOneSerialConsoleToAllItsViewers) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");  // it serves one client, as QEMU does
  start();
  const auto first = open(issue(), "login: ");
  const auto second = open(issue(), "login: ");
  second->write("x");
  EXPECT_EQ(second->read_to("x"), "x");
  EXPECT_EQ(first->read_to("x"), "x");
  const auto third = open(issue(), "login: x");
  qemu.hang_up();
  for (const auto& viewer : {&first, &second, &third})
    EXPECT_EQ((*viewer)->read_to_close(), "the console was closed");
}

TEST_F(ConsoleViewers, TakesWhatTheWriterTypesAlone) {
  credentials_.tokens[""].person_id = {"p2"};
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto writer = attach(issue());
  EXPECT_EQ(writer->read_to("login: "), "login: ");
  const auto reader = attach(issue("n1", ConsoleKind::serial, "h1", "p2"));
  EXPECT_EQ(reader->read_to("login: "), "login: ");
  reader->write("never");
  reader->read_text_to("you are not the writer");
  reader->write_text(R"({"type":"take-over"})");
  reader->read_text_to("only an admin of the project may take over: ask p1");
  writer->write_text(R"({"type":"hand-over","to":2})");
  writer->read_text_to("p1 handed over");
  reader->read_text_to("p1 handed over");
  reader->write("x");
  EXPECT_EQ(reader->read_to("x"), "x");
  EXPECT_EQ(writer->read_to("x"), "x");
  reader->drop();
  writer->read_text_to("the writer has left");
  writer->write("y");
  EXPECT_EQ(writer->read_to("y"), "y");
}

TEST_F(ConsoleViewers, TypesAllThatAViewerTypedWhoLeftAtOnce) {
  ConsoleSocket qemu(socket_of("n1"), "");
  start();
  const std::string typed = std::string(50'000, 'x') + "!";  // the guest takes 16 bytes at a time
  {
    const auto viewer = attach(issue());
    viewer->write(typed);
    viewer->drop();
  }
  const auto viewer = attach(issue(), "?from=0");
  EXPECT_EQ(viewer->read_to("!"), typed);
}

TEST_F(ConsoleViewers, LetsAnAdminTakeOver) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto writer = attach(issue());
  writer->read_text_to("roles");
  credentials_.tokens["t1"].rights = {msg::Right::console, msg::Right::define};
  const auto admin = attach(issue("n1", ConsoleKind::serial, "h1", "p2"), "?from=end");
  admin->read_text_to("roles");
  admin->write_text(R"({"type":"take-over"})");
  writer->read_text_to("p2 took over");
  admin->write("x");
  EXPECT_EQ(admin->read_to("x"), "x");
}

TEST_F(ConsoleViewers, LetsNobodyTakeOverWhoIsNoAdminAnyMore) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  credentials_.tokens["t1"].rights = {msg::Right::console, msg::Right::define};
  const auto former = attach(issue());
  former->read_text_to("roles");
  const auto writer = attach(issue("n1", ConsoleKind::serial, "h1", "p2"), "?from=end");
  const auto hand_over = [&] {
    former->write_text(R"({"type":"hand-over","to":2})");
    former->read_text_to("p1 handed over");
  };
  hand_over();
  change_credentials([](Credentials& known) { known.tokens["t1"].rights = {msg::Right::console}; });
  std::string answer;
  const auto end = std::chrono::steady_clock::now() + wait_timeout;
  do {
    former->write_text(R"({"type":"take-over"})");
    answer = former->read_text_to(" over");
    if (answer.find("p1 took over") != std::string::npos) hand_over();
  } while (answer.find("may take over") == std::string::npos &&
           std::chrono::steady_clock::now() < end);
  EXPECT_NE(answer.find("only an admin of the project may take over: ask p2"), std::string::npos);
}

TEST_F(ConsoleViewers, ResumesAtAnOffsetWithNothingLostOrDoubled) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  {
    const auto viewer = attach(issue(), "?from=0");
    EXPECT_EQ(viewer->read_to("login: "), "login: ");
    viewer->drop();
  }
  std::string printed = "login: ";
  for (int line = 0; line < 50'000; ++line) {  // more than is kept for those who join
    const auto text = "line " + std::to_string(line) + "\n";
    qemu.print(text);
    printed += text;
  }
  for (const std::size_t from : {std::size_t{7}, std::size_t{0}, std::size_t{400'000}}) {
    const auto viewer = attach(issue(), "?from=" + std::to_string(from));
    EXPECT_EQ(viewer->read_to("line 49999\n"), printed.substr(from)) << from;
    EXPECT_NE(viewer->read_text_to("offset").find("\"offset\":" + std::to_string(from)),
              std::string::npos);
  }
}

TEST_F(ConsoleViewers, StayAttachedWhileTheHostIsAway) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto viewer = attach(issue(), "?from=0");
  EXPECT_EQ(viewer->read_to("login: "), "login: ");
  host_.reset();
  viewer->read_text_to(R"("is_live":false)");
  qemu.print("meanwhile ");
  start_host();
  viewer->read_text_to(R"("is_live":true)");
  qemu.print("after ");
  EXPECT_EQ(viewer->read_to("after "), "meanwhile after ");
  viewer->write("x");
  EXPECT_EQ(viewer->read_to("x"), "x");
}

TEST_F(ConsoleViewers, KeepsTheStreamOfAViewerWhenAnotherLeaves) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  const auto stays = open(issue(), "login: ");
  { const auto leaves = open(issue(), "login: "); }
  stays->write("x");
  EXPECT_EQ(stays->read_to("x"), "x");
}

TEST_F(ConsoleViewers, FreesTheConsoleOnceItsLastViewerHasLeft) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  auto left = qemu.client_left();
  { const auto viewer = open(issue(), "login: "); }
  EXPECT_EQ(left.wait_for(wait_timeout), std::future_status::ready);
  const auto again = open(issue(), "login: ");
}

TEST_F(ConsoleViewers, DisconnectsAViewerThatTakesNoBytes) {
  log_bytes_max_ = 64 << 20;
  ConsoleSocket qemu(socket_of("n1"), std::string(32 << 20, '#'));  // more than the kernel buffers
  start({{"console.stall_s", "1"}});
  auto left = qemu.client_left();
  const auto viewer = attach(issue(), "?from=0");
  EXPECT_EQ(left.wait_for(wait_timeout), std::future_status::ready);
}

TEST_F(ConsoleViewers, WaitsForNoSlowViewerAndLosesNothingOfIt) {
  const std::string printed(900'000, '#');
  ConsoleSocket qemu(socket_of("n1"), printed);
  start({{"console.stall_s", "3600"}, {"console.idle_s", "3600"}});
  const auto slow = attach(issue(), "?from=0");
  const auto fast = attach(issue(), "?from=0");
  qemu.print("end");
  EXPECT_EQ(fast->read_to("end"), printed + "end");
  EXPECT_EQ(slow->read_to("end"), printed + "end");
}

TEST_F(ConsoleViewers, AreToldWhatIsNoLongerKept) {
  ConsoleSocket qemu(socket_of("n1"), std::string(3 << 20, '#') + "end");
  start();
  const auto viewer = attach(issue(), "?from=0");
  const auto seen = viewer->read_to("end");
  const auto first = (3U << 20) + 3 - seen.size();
  EXPECT_GE(seen.size(), 1U << 20);  // what the host keeps
  EXPECT_NE(viewer->read_text_to("start").find("\"offset\":" + std::to_string(first)),
            std::string::npos);
}

TEST_F(ConsoleViewers, DisconnectsAViewerThatAnswersNoPing) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start({{"console.idle_s", "1"}});
  const auto ticket = issue();
  ASSERT_TRUE(ticket);
  auto left = qemu.client_left();
  const auto viewer = open(ticket);
  EXPECT_EQ(left.wait_for(wait_timeout), std::future_status::ready);
}

}  // namespace
}  // namespace nucleus::tests
