// The bus's README on real sockets: routing, rights, malformed messages, and restarts at any time.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>

#include "messages/registry.hpp"
#include "services/bus/broker.hpp"
#include "services/bus/rights.hpp"
#include "tests/support/curve_bus.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/rooms.hpp"
#include "tests/support/wire.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using std::chrono::milliseconds;

// How long a test waits for a message that must not arrive.
constexpr milliseconds silence{300};

/// A broker on ipc and tcp, with rights files, that can be restarted.
class TcpBus {
 public:
  TcpBus() { start(); }
  ~TcpBus() { stop(); }
  TcpBus(const TcpBus&) = delete;
  TcpBus& operator=(const TcpBus&) = delete;

  void start() {
    is_stopping_ = false;
    broker_ = std::jthread([this] { bus::run_broker(options_, is_stopping_); });
  }
  void stop() {
    is_stopping_ = true;
    broker_ = {};
  }

  void restart_with(std::size_t connections_per_address_max) {
    stop();
    options_.connections_per_address_max = connections_per_address_max;
    start();
  }

  /// A new key with these rights.
  WireKeys key(const std::string& name, const std::string& project) {
    const WireKeys keys{.server_public = server_.public_key, .own = core::new_curve_pair()};
    grant(keys, name, project);
    return keys;
  }
  void grant(const WireKeys& keys, const std::string& name, const std::string& project,
             const std::string& more = {}) const {
    std::ofstream(rights_file(keys)) << "public_key: \"" << keys.own.public_key << "\"\nname: \""
                                     << name << "\"\ncalls: \"*\"\nproject: \"" << project << "\"\n"
                                     << more;
  }
  void revoke(const WireKeys& keys) const { std::filesystem::remove(rights_file(keys)); }
  std::string rights_file(const WireKeys& keys) const {
    return folder_.file(core::rights_file_name(keys.own.public_key));
  }
  /// A new key of the same name; the earlier one stays valid until this one is used, and until
  /// `end_unix_s` at most.
  WireKeys renew(const WireKeys& earlier, const std::string& name, std::int64_t end_unix_s) {
    const auto keys = stranger();
    grant(keys, name, "", "replaces: \"" + earlier.own.public_key + "\"\n");
    grant(earlier, name, "", "end_unix_s: " + std::to_string(end_unix_s) + "\n");
    return keys;
  }
  std::atomic<std::int64_t> unix_s = 1'000;
  WireKeys stranger() const {
    return {.server_public = server_.public_key, .own = core::new_curve_pair()};
  }

  const bus::BrokerOptions& options() const { return options_; }

 private:
  TemporaryFolder folder_ = {};
  bus::RightsWatch watch_{folder_.path()};
  core::CurvePair server_ = core::new_curve_pair();
  bus::BrokerOptions options_ = {
      .requests_url = "ipc://" + folder_.file("bus.sock"),
      .events_url = "ipc://" + folder_.file("events.sock"),
      .tcp_requests_url = "tcp://127.0.0.1:" + std::to_string(free_port()),
      .tcp_events_url = "tcp://127.0.0.1:" + std::to_string(free_port()),
      .curve_secret = server_.secret_key,
      .find_rights =
          [this](const std::string& key) { return bus::find_rights(folder_.path(), key); },
      .have_rights_changed = [this] { return watch_.has_changed(); },
      .end_key = [this](const std::string& key) { bus::remove_rights(folder_.path(), key); },
      .unix_s = [this] { return unix_s.load(); }};
  std::atomic<bool> is_stopping_ = false;
  std::jthread broker_ = {};
};

class Bus : public testing::Test {
 protected:
  Wire local(const std::string& name) {
    return Wire(zmq::socket_type::dealer, bus_.options().requests_url, name);
  }
  Wire remote(const std::string& name, const WireKeys& keys) {
    return Wire(zmq::socket_type::dealer, bus_.options().tcp_requests_url, name, keys);
  }
  Wire listener(const WireKeys& keys, const std::string& prefix) {
    Wire wire(zmq::socket_type::sub, bus_.options().tcp_events_url, {}, keys);
    wire.subscribe(prefix);
    return wire;
  }
  static Wire::Parts an_event(const std::string& from, const std::string& topic,
                              std::uint64_t number = 1) {
    const msg::Envelope envelope{
        .kind = msg::MessageKind::event, .sender = from, .event_id = number};
    return {topic, msg::encode(envelope), "body"};
  }
  /// Repeats the request until its reply arrives: both ends must be connected first.
  static std::optional<Wire::Parts> ask(Wire& wire, const Wire::Parts& request,
                                        milliseconds wait_timeout_ms = wait_timeout) {
    const auto end = std::chrono::steady_clock::now() + wait_timeout_ms;
    while (std::chrono::steady_clock::now() < end) {
      wire.send(request);
      // A reply to an earlier, repeated request may be late.
      const auto reply = wire.receive(milliseconds{100});
      if (reply && envelope_of(reply).request_id == envelope_of(request).request_id) return reply;
    }
    return std::nullopt;
  }
  static msg::Envelope envelope_of(const std::optional<Wire::Parts>& parts) {
    return parts && parts->size() == 3 ? msg::decode<msg::Envelope>((*parts)[1]) : msg::Envelope{};
  }
  /// The broker itself answers a request to a name that is not connected, after all it received
  /// before.
  bool is_alive() {
    Wire probe = local("probe" + std::to_string(++probe_count_));
    const auto reply =
        ask(probe, a_request("probe" + std::to_string(probe_count_), "nobody", "a.b", ""));
    return envelope_of(reply).error.has_value();
  }

  TcpBus bus_ = {};
  int probe_count_ = 0;
};

TEST_F(Bus, AnswersRequestsToAProcessThatIsNotConnected) {
  Wire caller = local("caller");
  const auto envelope = envelope_of(ask(caller, a_request("caller", "nobody", "a.b", "")));
  ASSERT_TRUE(envelope.error);
  EXPECT_EQ(envelope.error->code, ErrorCode::unavailable);
  EXPECT_EQ(envelope.error->detail, "nobody is not connected");
  EXPECT_EQ(envelope.request_id, "r1");
  EXPECT_EQ(envelope.sender, "bus");
}

TEST_F(Bus, RefusesAKeyWithoutARightsFile) {
  Wire stranger = remote("provisioner/h1", bus_.stranger());
  EXPECT_FALSE(ask(stranger, a_request("provisioner/h1", "nobody", "a.b", ""), silence));
  Wire plain(zmq::socket_type::dealer, bus_.options().tcp_requests_url, "provisioner/h1");
  EXPECT_FALSE(ask(plain, a_request("provisioner/h1", "nobody", "a.b", ""), silence));
  WireKeys wrong = bus_.key("provisioner/h1", "");
  wrong.server_public = core::new_curve_pair().public_key;
  Wire misled = remote("provisioner/h1", wrong);
  EXPECT_FALSE(ask(misled, a_request("provisioner/h1", "nobody", "a.b", ""), silence));
  EXPECT_TRUE(is_alive());
}

TEST_F(Bus, AcceptsAKeyAsSoonAsItsRightsFileExists) {
  const auto keys = bus_.key("provisioner/h2", "");
  Wire host = remote("provisioner/h2", keys);
  EXPECT_TRUE(ask(host, a_request("provisioner/h2", "nobody", "a.b", "")));
}

TEST_F(Bus, IgnoresTheEnvironmentWhenItReadsRights) {
  setenv("NUCLEUS_PROJECT", "*", 1);
  setenv("NUCLEUS_NAME", "scheduler", 1);
  setenv("NUCLEUS_CALLS", "*", 1);
  const auto keys = bus_.key("provisioner/h1", "demo");
  const auto rights = bus_.options().find_rights(keys.own.public_key);
  for (const char* name : {"NUCLEUS_PROJECT", "NUCLEUS_NAME", "NUCLEUS_CALLS"}) unsetenv(name);
  EXPECT_EQ(rights.name, "provisioner/h1");
  EXPECT_EQ(rights.project, "demo");
  EXPECT_FALSE(core::may_subscribe(rights, "other/"));
}

TEST_F(Bus, ReadsOnlyTheFileNamedAfterTheKey) {
  TemporaryFolder folder;
  const auto pair = core::new_curve_pair();
  const auto other = core::new_curve_pair();
  const std::string text = "public_key: \"" + pair.public_key + "\"\nname: registry\n";
  std::ofstream(folder.file("registry.yaml")) << text;
  std::ofstream(folder.file(core::rights_file_name(other.public_key))) << text;
  EXPECT_FALSE(core::is_known(bus::find_rights(folder.path(), pair.public_key)));
  EXPECT_FALSE(core::is_known(bus::find_rights(folder.path(), other.public_key)))
      << "the file is named after another key than its own";
  std::ofstream(folder.file(core::rights_file_name(pair.public_key))) << text;
  EXPECT_EQ(bus::find_rights(folder.path(), pair.public_key).name, "registry");
  for (const char* key : {"", "not a key", "../../../../etc/passwd"})
    EXPECT_FALSE(core::is_known(bus::find_rights(folder.path(), key))) << key;
}

TEST_F(Bus, AcceptsOnlyTheNameThatTheKeyAllows) {
  const auto keys = bus_.key("provisioner/h1", "");
  Wire impostor = remote("scheduler", keys);
  EXPECT_FALSE(ask(impostor, a_request("scheduler", "nobody", "a.b", ""), silence));
  Wire lying_peer = remote("provisioner/h1", keys);
  ASSERT_TRUE(ask(lying_peer, a_request("provisioner/h1", "nobody", "a.b", "")));
  EXPECT_FALSE(ask(lying_peer, a_request("scheduler", "nobody", "a.b", "", "r2"), silence))
      << "a foreign name in the envelope";
  const auto mute = bus_.key("", "p");
  Wire subscriber = remote("p", mute);
  EXPECT_FALSE(ask(subscriber, a_request("p", "nobody", "a.b", ""), silence))
      << "a key without a name sends no requests";
}

TEST_F(Bus, EndsTheSubscriptionOfARevokedKeyAndNoOthers) {
  const auto ending = bus_.key("", "p");
  Wire revoked = listener(ending, "p/");
  Wire other = listener(bus_.key("", "p"), "p/");
  Wire emitter = local("registry");
  const auto reaches = [&](Wire& wire) {
    return eventually([&] {
      emitter.send(an_event("registry", "p/c/registry.changed"));
      return wire.receive(milliseconds{100}).has_value();
    });
  };
  ASSERT_TRUE(reaches(revoked) && reaches(other));
  bus_.revoke(ending);
  // Once an event does not arrive, none does, although the other key receives all.
  ASSERT_TRUE(eventually([&] {
    while (revoked.receive(milliseconds{0})) continue;
    return reaches(other) && !revoked.receive(silence);
  }));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(reaches(other));
    EXPECT_FALSE(revoked.receive(milliseconds{0}));
  }
}

TEST_F(Bus, TakesNoRequestsOfARevokedKeyAndSendsItNone) {
  const auto keys = bus_.key("provisioner/h1", "");
  Wire host = remote("provisioner/h1", keys);
  Wire scheduler = local("scheduler");
  ASSERT_TRUE(ask(host, a_request("provisioner/h1", "nobody", "a.b", "")));
  bus_.revoke(keys);
  ASSERT_TRUE(eventually([&] {
    const auto answer =
        envelope_of(ask(scheduler, a_request("scheduler", "provisioner/h1", "a.b", ""), silence));
    return answer.error && answer.error->code == ErrorCode::unavailable;
  })) << "it is not connected";
  while (host.receive(milliseconds{0})) continue;
  EXPECT_FALSE(ask(host, a_request("provisioner/h1", "nobody", "a.b", "", "r2"), silence));
  bus_.grant(keys, "provisioner/h1", "");
  EXPECT_TRUE(eventually([&] {
    return ask(host, a_request("provisioner/h1", "nobody", "a.b", "", "r3"), silence).has_value();
  })) << "a key that is given back works on an open connection";
}

TEST_F(Bus, EndsAReplacedKeyWithTheFirstMessageOfItsSuccessor) {
  const std::string name = "provisioner/h1";
  const auto first = bus_.key(name, "");
  Wire before = remote({}, first);  // as links do: a routing id would be taken
  const auto probe = a_request(name, "nobody", "a.b", "");
  ASSERT_TRUE(ask(before, probe));
  const auto second = bus_.renew(first, name, bus_.unix_s + 100);
  EXPECT_TRUE(ask(before, a_request(name, "nobody", "a.b", "", "r2")))
      << "both are valid until the new one is used";
  Wire after = remote({}, second);
  ASSERT_TRUE(ask(after, a_request(name, "nobody", "a.b", "", "r3")));
  EXPECT_FALSE(std::filesystem::exists(bus_.rights_file(first))) << "for good, over restarts too";
  while (before.receive(milliseconds{0})) continue;
  EXPECT_FALSE(ask(before, a_request(name, "nobody", "a.b", "", "r4"), silence));
  Wire again = remote({}, first);
  EXPECT_FALSE(ask(again, probe, silence)) << "a new connection of the old key";
  Wire scheduler = local("scheduler");
  ASSERT_TRUE(eventually([&] {
    scheduler.send(a_request("scheduler", name, "a.b", "to the host"));
    while (const auto got = after.receive(milliseconds{50}))
      if (got->back() == "to the host") return true;
    return false;
  })) << "the name is the new connection's";
}

TEST_F(Bus, EndsAReplacedKeyAtItsTimeEvenIfItsSuccessorIsNeverUsed) {
  const std::string name = "provisioner/h1";
  const auto first = bus_.key(name, "");
  Wire host = remote({}, first);
  ASSERT_TRUE(ask(host, a_request(name, "nobody", "a.b", "")));
  (void)bus_.renew(first, name, bus_.unix_s + 100);
  bus_.unix_s += 99;
  EXPECT_TRUE(ask(host, a_request(name, "nobody", "a.b", "", "r2")));
  bus_.unix_s += 1;
  ASSERT_TRUE(eventually([&] {
    while (host.receive(milliseconds{0})) continue;
    return !ask(host, a_request(name, "nobody", "a.b", "", "r3"), silence);
  }));
  Wire again = remote({}, first);
  EXPECT_FALSE(ask(again, a_request(name, "nobody", "a.b", "", "r4"), silence));
}

// Even over ipc, where there are no keys.
TEST_F(Bus, DropsEventsOfAnotherService) {
  Wire subscriber_wire = listener(bus_.key("", "*"), "");
  Wire network = local("network");
  std::optional<Wire::Parts> received;
  ASSERT_TRUE(eventually([&] {
    network.send(an_event("registry", "p/c/registry.cluster-removed"));
    network.send(an_event("network", "p/c/registry.cluster-removed"));
    network.send(an_event("network", "p/c/network.ports-leased"));
    received = subscriber_wire.receive(milliseconds{100});
    return received.has_value();
  }));
  do EXPECT_EQ((*received)[0], "p/c/network.ports-leased");
  while ((received = subscriber_wire.receive(silence)));
}

TEST_F(Bus, KeepsASubscriptionWhenAnotherPeerUnsubscribes) {
  Wire mine = listener(bus_.key("", "p"), "p/");
  Wire emitter = local("registry");
  ASSERT_TRUE(eventually([&] {
    emitter.send(an_event("registry", "p/c/registry.changed"));
    return mine.receive(milliseconds{100}).has_value();
  }));
  while (mine.receive(silence)) continue;
  {
    Wire twin = listener(bus_.key("", "p"), "p/");
    Wire foreign(zmq::socket_type::xsub, bus_.options().tcp_events_url, {}, bus_.key("", "q"));
    foreign.send({std::string("\0p/", 3)});
    (void)foreign.receive(silence);
  }
  ASSERT_TRUE(eventually([&] {
    emitter.send(an_event("registry", "p/c/registry.changed"));
    return mine.receive(milliseconds{100}).has_value();
  }));
}

TEST_F(Bus, DropsMalformedMessagesAndContinues) {
  Wire peer = local("peer");
  const std::string sound = a_request("peer", "nobody", "a.b", "")[1];
  const std::vector<Wire::Parts> malformed = {
      {""},
      {"a.b"},
      {"a.b", sound},
      {"a.b", sound, "body", "one more"},
      Wire::Parts(7, "x"),
      Wire::Parts(100, "x"),
      {"a.b", "", "body"},
      {"a.b", std::string("\xc1"), "body"},
      {"a.b", std::string("\xdd\xff\x00\x00\x00", 5), "body"},
      {"a.b", std::string(100'000, '\x91'), "body"},
      {"a.b", std::string(17'000, 'x'), "body"},
      {"a.b", sound.substr(0, sound.size() / 2), "body"},
      {"a.b", sound + "more", "body"},
  };
  for (const auto& parts : malformed) {
    peer.send(parts);
    EXPECT_FALSE(peer.receive(milliseconds{20})) << parts.size() << " parts";
  }
  EXPECT_TRUE(is_alive());
}

TEST_F(Bus, ClosesTheConnectionOfAPeerThatSendsATooLargeFrame) {
  Wire peer = local("peer");
  ASSERT_TRUE(ask(peer, a_request("peer", "nobody", "a.b", "")));
  // Larger than the limit of a frame.
  peer.send(a_request("peer", "nobody", "a.b", std::string(64 << 20, 'x'), "huge"));
  EXPECT_TRUE(is_alive());
  EXPECT_TRUE(eventually([&] {
    const auto reply = ask(peer, a_request("peer", "nobody", "a.b", "", "small"));
    return envelope_of(reply).request_id == "small";
  })) << "the peer reconnects";
}

/// A connection from this address that shows no key; -1 if it cannot be opened.
int silent_connection(const std::string& url, const char* from) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = inet_addr(from);
  const int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  (void)bind(one, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
  return connect(one, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? one : -1;
}

/// Whether the bus closes the connection within this time.
bool is_closed(int connection, milliseconds time) {
  const timeval wait{.tv_sec = time.count() / 1000, .tv_usec = time.count() % 1000 * 1000};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  std::array<char, 100> greeting{};
  while (true) {
    const auto count = read(connection, greeting.data(), greeting.size());
    if (count <= 0) return count == 0 || errno == ECONNRESET;
  }
}

TEST_F(Bus, ClosesTheConnectionsOfAnAddressOverItsLimitAndServesOthers) {
  bus_.restart_with(20);
  const auto& url = bus_.options().tcp_requests_url;
  for (const bool is_for_events : {false, true}) {
    const auto& one_url = is_for_events ? bus_.options().tcp_events_url : url;
    std::vector<int> held;
    while (held.size() < 20)
      if (const int one = silent_connection(one_url, "127.0.0.2"); one >= 0) held.push_back(one);
    for (int i = 0; i < 100; ++i) {
      const int over = silent_connection(one_url, "127.0.0.2");
      EXPECT_TRUE(is_closed(over, wait_timeout));
      close(over);
    }
    Wire host = remote("provisioner/h1", bus_.key("provisioner/h1", ""));
    EXPECT_TRUE(ask(host, a_request("provisioner/h1", "nobody", "a.b", "")));
    EXPECT_FALSE(is_closed(held.back(), silence));
    close(held.back());
    held.pop_back();
    EXPECT_TRUE(eventually([&] {
      held.push_back(silent_connection(one_url, "127.0.0.2"));
      return !is_closed(held.back(), silence);
    })) << "a closed connection makes room for another one";
    for (const int one : held) close(one);
  }
}

TEST_F(Bus, SurvivesManyIncompleteHandshakes) {
  std::vector<int> sockets;
  for (int i = 0; i < 300; ++i) {
    const int one = silent_connection(bus_.options().tcp_requests_url, "127.0.0.1");
    if (one >= 0) {
      // The first bytes of a ZMTP greeting, then nothing, or nonsense.
      const std::string greeting = std::string("\xff\0\0\0\0\0\0\0\x01\x7f\x03", 11) +
                                   std::string(i % 3 ? 53 : 0, static_cast<char>(i));
      (void)!write(one, greeting.data(), greeting.size());
    }
    sockets.push_back(one);
  }
  EXPECT_TRUE(is_alive());
  const auto keys = bus_.key("provisioner/h1", "");
  Wire host = remote("provisioner/h1", keys);
  EXPECT_TRUE(ask(host, a_request("provisioner/h1", "nobody", "a.b", "")));
  for (const int one : sockets) close(one);
}

TEST_F(Bus, CanBeRestartedAtAnyTime) {
  Wire service = local("service");
  Wire caller = local("caller");
  for (int round = 0; round < 5; ++round) {
    const std::string id = "r" + std::to_string(round);
    std::optional<Wire::Parts> asked;
    std::optional<Wire::Parts> answered;
    ASSERT_TRUE(eventually([&] {
      caller.send(a_request("caller", "service", "a.b", id, id));
      // The service sends first, so that the restarted broker knows its connection.
      service.send(a_request("service", "nobody", "a.b", ""));
      while (const auto got = service.receive(milliseconds{50}))
        if (got->back() == id) asked = got;
      return asked.has_value();
    })) << round;
    bus_.stop();
    bus_.start();
    const msg::Envelope reply{
        .kind = msg::MessageKind::reply, .request_id = id, .sender = "service", .to = "caller"};
    ASSERT_TRUE(eventually([&] {
      caller.send(a_request("caller", "nobody", "a.b", ""));
      service.send({"a.b", msg::encode(reply), "answered " + id});
      while (const auto got = caller.receive(milliseconds{50}))
        if (got->back() == "answered " + id) answered = got;
      return answered.has_value();
    })) << round;
  }
}

}  // namespace
}  // namespace nucleus::tests
