// The contract of every link: the same tests run on ZeroMQ with a real broker, over ipc and over
// tcp with CURVE, and on the simulated link.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>

#include "core/bus/zmq_link.hpp"
#include "core/loop/posix_loop.hpp"
#include "services/bus/broker.hpp"
#include "tests/support/curve_bus.hpp"
#include "tests/support/process.hpp"
#include "tests/support/sim/world.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::tests {
namespace {

class LinkWorld {
 public:
  virtual ~LinkWorld() = default;
  virtual std::unique_ptr<core::Link> open(const std::string& name) = 0;
  virtual void wait(const std::function<bool()>& condition) = 0;
  /// Stops and starts the bus; false if this world's bus cannot be stopped.
  virtual bool stop_bus() { return false; }
  virtual void start_bus() {}
  /// How often `wait` checks its condition before a message is sent again.
  virtual std::int64_t checks_between_sends() const { return 1000; }
};

class ZmqLinks : public LinkWorld {
 public:
  ~ZmqLinks() override { is_stopping_ = true; }
  std::unique_ptr<core::Link> open(const std::string& name) override {
    return std::make_unique<core::ZmqLink>(
        loop_, core::ZmqLinkOptions{.name = name,
                                    .requests_url = options_.requests_url,
                                    .events_url = options_.events_url});
  }
  void wait(const std::function<bool()>& condition) override {
    // Each run handles what is ready and returns.
    const auto end_ms = loop_.steady_ms() + wait_timeout.count();
    while (!condition() && loop_.steady_ms() < end_ms) {
      loop_.stop();
      loop_.run();
    }
  }
  bool stop_bus() override {
    is_stopping_ = true;
    broker_.join();
    return true;
  }
  void start_bus() override {
    is_stopping_ = false;
    broker_ = run();
  }

 private:
  std::jthread run() {
    return std::jthread{[this] { bus::run_broker(options_, is_stopping_); }};
  }
  TemporaryFolder folder_ = {};
  bus::BrokerOptions options_ = {.requests_url = "ipc://" + folder_.file("bus.sock"),
                                 .events_url = "ipc://" + folder_.file("events.sock")};
  std::atomic<bool> is_stopping_ = false;
  std::jthread broker_ = run();
  core::PosixLoop loop_ = {};
};

/// Over tcp: each link has its own key with rights to its name.
class CurveLinks : public LinkWorld {
 public:
  std::unique_ptr<core::Link> open(const std::string& name) override {
    return std::make_unique<core::ZmqLink>(
        bus_.loop,
        bus_.link_options(name, bus_.new_key({.name = name, .calls = "*", .project = "*"})));
  }
  void wait(const std::function<bool()>& condition) override { bus_.wait(condition); }
  std::int64_t checks_between_sends() const override { return 20; }

 private:
  CurveBus bus_ = {};
};

class SimLinks : public LinkWorld {
 public:
  std::unique_ptr<core::Link> open(const std::string& name) override {
    return std::make_unique<SimLink>(loop_, name);
  }
  void wait(const std::function<bool()>& condition) override {
    const auto end_ms = world_.now_ms() + wait_timeout.count();
    while (!condition() && world_.now_ms() < end_ms) world_.run_for(core::Milliseconds{1});
  }

 private:
  SimWorld world_{1};
  SimLoop loop_{world_};
};

core::Frames frames(msg::MessageKind kind, const std::string& from, const std::string& to,
                    const std::string& topic) {
  core::Frames made{.topic = topic, .body = std::string("\0body", 5)};
  made.envelope = {.kind = kind,
                   .request_id = "r1",
                   .trace_id = "t1",
                   .sender = from,
                   .to = to,
                   .deadline_unix_ms = INT64_MAX};
  return made;
}

template <class World>
class LinkContract : public testing::Test {
 protected:
  /// Sends until it arrives: a link may lose messages sent before both ends are connected.
  void send_until(core::Link& link, const core::Frames& message,
                  const std::optional<core::Frames>& arrived) {
    std::int64_t checks = 0;
    world.wait([&] {
      if (arrived) return true;
      if (checks++ % world.checks_between_sends() == 0) link.send(message);
      return false;
    });
  }
  World world = {};
};

using LinkWorlds = testing::Types<ZmqLinks, CurveLinks, SimLinks>;
TYPED_TEST_SUITE(LinkContract, LinkWorlds);

TYPED_TEST(LinkContract, CarriesARequestToItsNameAndTheReplyBack) {
  auto caller = this->world.open("caller");
  auto service = this->world.open("provisioner/host-01");
  std::optional<core::Frames> request;
  std::optional<core::Frames> reply;
  service->on_receive([&](core::Frames frames_received) {
    if (request) return;
    request = std::move(frames_received);
    service->send(frames(msg::MessageKind::reply, "provisioner/host-01", "caller", request->topic));
  });
  caller->on_receive([&](core::Frames frames_received) {
    if (!frames_received.envelope.error)
      reply = std::move(frames_received);  // else: the other end is not connected yet
  });
  this->send_until(
      *caller, frames(msg::MessageKind::request, "caller", "provisioner/host-01", "a.b"), reply);
  ASSERT_TRUE(request);
  ASSERT_TRUE(reply);
  EXPECT_EQ(request->topic, "a.b");
  EXPECT_EQ(request->body, std::string("\0body", 5));
  EXPECT_EQ(request->envelope.sender, "caller");
  EXPECT_EQ(request->envelope.request_id, "r1");
  EXPECT_EQ(reply->envelope.sender, "provisioner/host-01");
}

TYPED_TEST(LinkContract, RefusesARequestToANameThatIsNotConnected) {
  auto caller = this->world.open("caller");
  std::optional<core::Frames> reply;
  caller->on_receive([&](core::Frames frames_received) { reply = std::move(frames_received); });
  this->send_until(*caller, frames(msg::MessageKind::request, "caller", "nobody", "a.b"), reply);
  ASSERT_TRUE(reply);
  ASSERT_TRUE(reply->envelope.error);
  EXPECT_EQ(reply->envelope.error->code, msg::ErrorCode::unavailable);
  EXPECT_EQ(reply->envelope.request_id, "r1");
}

TYPED_TEST(LinkContract, CarriesAnEventToTheSubscribersOfItsPrefix) {
  auto service = this->world.open("service");
  auto subscriber = this->world.open("subscriber");
  std::optional<core::Frames> received;
  bool is_other_received = false;
  subscriber->on_receive([&](core::Frames frames_received) {
    if (frames_received.topic.starts_with("other/")) is_other_received = true;
    received = std::move(frames_received);
  });
  subscriber->subscribe("mine/");
  std::int64_t checks = 0;
  this->world.wait([&] {
    if (checks++ % this->world.checks_between_sends() == 0) {
      service->send(frames(msg::MessageKind::event, "service", "", "other/c/service.changed"));
      service->send(frames(msg::MessageKind::event, "service", "", "mine/c/service.changed"));
    }
    return received.has_value();
  });
  ASSERT_TRUE(received);
  EXPECT_EQ(received->topic, "mine/c/service.changed");
  EXPECT_FALSE(is_other_received);
}

TYPED_TEST(LinkContract, ReportsWhenTheConnectionIsLostAndEstablishedAgain) {
  auto subscriber = this->world.open("subscriber");
  std::vector<bool> reported;
  bool is_connected = subscriber->watch_connection([&](bool is_connected_now) {
    reported.push_back(is_connected_now);
    is_connected = is_connected_now;
  });
  this->world.wait([&] { return is_connected; });
  ASSERT_TRUE(is_connected);
  if (!this->world.stop_bus()) {
    EXPECT_TRUE(reported.empty() || reported.back());
    return;
  }
  this->world.wait([&] { return !is_connected; });
  EXPECT_FALSE(is_connected);
  this->world.start_bus();
  this->world.wait([&] { return is_connected; });
  EXPECT_TRUE(is_connected);
}

TYPED_TEST(LinkContract, GivesANameToItsNewestOwner) {
  auto caller = this->world.open("caller");
  std::optional<core::Frames> first_got;
  std::optional<core::Frames> second_got;
  auto first = this->world.open("service");
  first->on_receive([&](core::Frames frames_received) { first_got = std::move(frames_received); });
  const auto request = frames(msg::MessageKind::request, "caller", "service", "a.b");
  this->send_until(*caller, request, first_got);
  first.reset();
  auto second = this->world.open("service");
  second->on_receive(
      [&](core::Frames frames_received) { second_got = std::move(frames_received); });
  this->send_until(*caller, request, second_got);
  EXPECT_TRUE(first_got);
  EXPECT_TRUE(second_got);
}

}  // namespace
}  // namespace nucleus::tests
