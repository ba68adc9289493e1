// Reading a ticket from Sec-WebSocket-Protocol, and the console's settings.
#include <gtest/gtest.h>

#include "services/console/config.hpp"
#include "services/console/driver/console_proxy.hpp"

namespace nucleus::console {
namespace {

TEST(TicketHeader, FindsTheTicketBesideTheSubprotocol) {
  EXPECT_EQ(ticket_in("nucleus.console, nucleus.ticket.abc", viewer_subprotocol), "abc");
  EXPECT_EQ(ticket_in("nucleus.ticket.abc,nucleus.console", viewer_subprotocol), "abc");
  EXPECT_EQ(ticket_in(" \tother ,  nucleus.console\t,nucleus.ticket.abc ,", viewer_subprotocol),
            "abc");
}

TEST(TicketHeader, FindsNoneIfEitherIsMissing) {
  for (const char* said : {"", ",", " ", ",,,", "nucleus.console", "nucleus.ticket.abc",
                           "nucleus.console, nucleus.ticket.", "nucleus.consoles, nucleus.ticket.a",
                           "nucleus.console nucleus.ticket.abc", "NUCLEUS.CONSOLE, abc"})
    EXPECT_EQ(ticket_in(said, viewer_subprotocol), "") << said;
  EXPECT_EQ(ticket_in("nucleus.console, nucleus.ticket.abc", host_subprotocol), "");
}

core::Result<Config> config_of(std::map<std::string, std::string> values) {
  core::Settings settings(std::move(values));
  auto config = Config::from(settings);
  if (config) {
    if (auto finished = settings.finish(); !finished) return std::unexpected(finished.error());
  }
  return config;
}

TEST(ConsoleConfig, NamesTheInvalidSetting) {
  const std::pair<const char*, const char*> wrong[] = {{"console.listen", "here"},
                                                       {"console.hosts_listen", "here"},
                                                       {"console.hosts_tls_key", "/none"},
                                                       {"console.listen", "127.0.0.1"},
                                                       {"console.listen", "127.0.0.1:"},
                                                       {"console.listen", "127.0.0.1:65536"},
                                                       {"console.listen", "127.0.0.1:80x"},
                                                       {"console.listen", "localhost:80"},
                                                       {"console.public_url", "http://a/b"},
                                                       {"console.ticket_s", "0"},
                                                       {"console.ticket_s", "3601"},
                                                       {"console.tickets_max", "0"},
                                                       {"console.connections_max", "none"},
                                                       {"console.idle_s", "-1"},
                                                       {"console.stall_s", "0"}};
  for (const auto& [key, value] : wrong) {
    const auto config = config_of({{key, value}});
    ASSERT_FALSE(config) << key << "=" << value;
    EXPECT_NE(config.error().detail.find(key), std::string::npos) << config.error().detail;
  }
}

TEST(ConsoleConfig, AcceptsValidSettings) {
  const auto config = config_of({{"console.listen", "[::1]:8080"},
                                 {"console.public_url", "wss://example.org/console"},
                                 {"console.ticket_s", "3600"}});
  ASSERT_TRUE(config) << config.error().detail;
  EXPECT_EQ(config->proxy.http.listen.endpoint.text(), "[::1]:8080");
  EXPECT_EQ(config->tickets.life_s, 3600);
}

}  // namespace
}  // namespace nucleus::console
