// Viewers of one console: what they share, and which of them are disconnected.
#include "tests/service/console_room.hpp"

namespace nucleus::tests {
namespace {

using msg::ConsoleKind;

class ConsoleViewers : public ConsoleRoom {};

TEST_F(ConsoleViewers, ConnectsViewersWithAVncConsoleOneAfterAnother) {
  ConsoleSocket qemu(socket_of("n2"), "RFB 003.008\n");
  start();
  for (int i = 0; i < 3; ++i) {
    const auto viewer = open(issue("n2", ConsoleKind::vnc));
    EXPECT_EQ(viewer->read_to("\n"), "RFB 003.008\n");
  }
}

TEST_F(ConsoleViewers, ShowsOneSerialConsoleToAllItsViewersAndTakesWhatEachTypes) {
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
  ConsoleSocket qemu(socket_of("n1"), "", ConsoleSocket::Manner::floods);
  start({{"console.stall_s", "1"}});
  const auto ticket = issue();
  ASSERT_TRUE(ticket);
  auto left = qemu.client_left();
  const auto viewer = open(ticket);
  EXPECT_EQ(left.wait_for(wait_timeout), std::future_status::ready);
}

TEST_F(ConsoleViewers, DisconnectsASlowViewerThatHoldsUpAnother) {
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

TEST_F(ConsoleViewers, WaitsForItsOnlyViewer) {
  ConsoleSocket qemu(socket_of("n1"), "", ConsoleSocket::Manner::floods);
  start({{"console.stall_s", "3600"}, {"console.idle_s", "3600"}});
  const auto slow = open(issue());
  { EXPECT_TRUE(open(issue())->skip(1)); }
  EXPECT_TRUE(slow->skip(64U << 20)) << "nobody else waits for it";
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
