// The console service with a host's streams over TLS, on a real bus, Redis, WebSocket and unix
// socket; known sockets stand for consoles.
#pragma once

#include <gtest/gtest.h>

#include "core/tls/authority.hpp"
#include "services/console/service.hpp"
#include "tests/support/console_host.hpp"
#include "tests/support/console_socket.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/rooms.hpp"
#include "tests/support/viewer.hpp"

namespace nucleus::tests {

inline core::Result<std::shared_ptr<void>> build_console(core::Runtime& runtime) {
  auto config = console::Config::from(runtime.settings);
  if (!config) return std::unexpected(config.error());
  return std::make_shared<console::Service>(runtime, *config);
}

class ConsoleRoom : public testing::Test {
 protected:
  std::string socket_of(const std::string& node) const { return folder_.file(node + ".sock"); }
  std::string log_of(const std::string& node) const { return folder_.file(node + ".log"); }

  ConsoleRoom() {
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
          return std::make_shared<ConsoleHost>(runtime, paths_, service, log_bytes_max_);
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
                                         msg::ConsoleKind kind = msg::ConsoleKind::serial,
                                         const std::string& host = "h1",
                                         const std::string& person = "p1") {
    return caller_.call(msg::IssueTicket{.node_id = {node},
                                         .kind = kind,
                                         .host_id = {host},
                                         .person_id = {person},
                                         .project_id = {"lab"},
                                         .token_id = token_,
                                         .person_uid = "u1",
                                         .cluster_id = {"vc"},
                                         .node_name = node,
                                         .origin = "https://portal.example"},
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
  /// A viewer that reads text messages, from `query` on.
  static std::unique_ptr<Viewer> attach(const core::Result<msg::ConsoleTicket>& ticket,
                                        const std::string& query = {}) {
    if (!ticket) throw std::runtime_error(ticket.error().detail);
    auto viewer = std::make_unique<Viewer>(ticket->url + query);
    const auto status = viewer->open("nucleus.console.v2, nucleus.ticket." + ticket->ticket);
    if (status != 101) throw std::runtime_error("refused with " + std::to_string(status));
    return viewer;
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
      {"n2",
       {.serial_socket = socket_of("n2"),
        .vnc_socket = socket_of("vnc"),
        .serial_log = log_of("n2")}},
      {"ended", {}},
      {"long", {.serial_socket = "/" + std::string(200, 'x')}}};
  std::uint16_t hosts_port_ = static_cast<std::uint16_t>(free_port());
  Deployment deployment_ = {};
  std::unique_ptr<Process> host_ = {};
  Credentials credentials_ = {};
  std::string token_ = "t1";
  std::int64_t log_bytes_max_ = 1 << 20;  // that the host keeps
  StandIn registry_{deployment_, "registry",
                    [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                      return std::make_shared<CredentialRoom>(runtime, credentials_);
                    }};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> service_ = {};
};

}  // namespace nucleus::tests
