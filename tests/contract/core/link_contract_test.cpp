// What every link promises, held against ZeroMQ with a real bus, on ipc and with CURVE on tcp, and
// against the simulated one by the same tests.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>

#include "core/bus/broker.hpp"
#include "core/bus/zmq_link.hpp"
#include "core/loop/posix_loop.hpp"
#include "tests/support/curve_bus.hpp"
#include "tests/support/process.hpp"
#include "tests/support/redis_fixture.hpp"
#include "tests/support/sim/world.hpp"

namespace nucleus::tests {
namespace {

class LinkWorld {
 public:
  virtual ~LinkWorld() = default;
  virtual std::unique_ptr<core::Link> open(const std::string& name) = 0;
  virtual void wait(const std::function<bool()>& is_so) = 0;
  /// The bus is gone, and there again. False where this world's bus never goes.
  virtual bool stop_bus() { return false; }
  virtual void start_bus() {}
  /// How often `wait` looks before what may have been lost is sent again.
  virtual std::int64_t looks_between_sends() const { return 1000; }
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
  void wait(const std::function<bool()>& is_so) override {
    // Loops here are short-lived runs: each ends itself at the next look.
    const auto end_ms = loop_.steady_ms() + patience.count();
    while (!is_so() && loop_.steady_ms() < end_ms) {
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
    return std::jthread{[this] { core::run_broker(options_, is_stopping_); }};
  }
  TemporaryFolder folder_ = {};
  core::BrokerOptions options_ = {.requests_url = "ipc://" + folder_.file("bus.sock"),
                                  .events_url = "ipc://" + folder_.file("events.sock")};
  std::atomic<bool> is_stopping_ = false;
  std::jthread broker_ = run();
  core::PosixLoop loop_ = {};
};

/// As ZmqLinks, but over tcp: each link has a key of its own, which allows its name.
class CurveLinks : public LinkWorld {
 public:
  std::unique_ptr<core::Link> open(const std::string& name) override {
    return std::make_unique<core::ZmqLink>(
        bus_.loop,
        bus_.link_options(name, bus_.new_key({.name = name, .calls = "*", .project = "*"})));
  }
  void wait(const std::function<bool()>& is_so) override { bus_.wait(is_so); }
  std::int64_t looks_between_sends() const override { return 20; }

 private:
  CurveBus bus_ = {};
};

class SimLinks : public LinkWorld {
 public:
  std::unique_ptr<core::Link> open(const std::string& name) override {
    return std::make_unique<SimLink>(loop_, name);
  }
  void wait(const std::function<bool()>& is_so) override {
    const auto end_ms = world_.now_ms() + patience.count();
    while (!is_so() && world_.now_ms() < end_ms) world_.run_for(core::Milliseconds{1});
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
  /// Sends until it arrives: a link may lose what is sent before both ends are known to the bus.
  void send_until(core::Link& link, const core::Frames& message,
                  const std::optional<core::Frames>& arrived) {
    std::int64_t looks = 0;
    world.wait([&] {
      if (arrived) return true;
      if (looks++ % world.looks_between_sends() == 0) link.send(message);
      return false;
    });
  }
  World world = {};
};

using LinkWorlds = testing::Types<ZmqLinks, CurveLinks, SimLinks>;
TYPED_TEST_SUITE(LinkContract, LinkWorlds);

TYPED_TEST(LinkContract, CarriesARequestToItsNameAndTheReplyBack) {
  auto asker = this->world.open("asker");
  auto service = this->world.open("provisioner/host-01");
  std::optional<core::Frames> asked;
  std::optional<core::Frames> answered;
  service->on_receive([&](core::Frames got) {
    if (asked) return;
    asked = std::move(got);
    service->send(frames(msg::MessageKind::reply, "provisioner/host-01", "asker", asked->topic));
  });
  asker->on_receive([&](core::Frames got) {
    if (!got.envelope.error) answered = std::move(got);  // else: the other end is not known yet
  });
  this->send_until(*asker, frames(msg::MessageKind::request, "asker", "provisioner/host-01", "a.b"),
                   answered);
  ASSERT_TRUE(asked);
  ASSERT_TRUE(answered);
  EXPECT_EQ(asked->topic, "a.b");
  EXPECT_EQ(asked->body, std::string("\0body", 5));
  EXPECT_EQ(asked->envelope.sender, "asker");
  EXPECT_EQ(asked->envelope.request_id, "r1");
  EXPECT_EQ(answered->envelope.sender, "provisioner/host-01");
}

TYPED_TEST(LinkContract, RefusesARequestToANameNobodyHas) {
  auto asker = this->world.open("asker");
  std::optional<core::Frames> answered;
  asker->on_receive([&](core::Frames got) { answered = std::move(got); });
  this->send_until(*asker, frames(msg::MessageKind::request, "asker", "nobody", "a.b"), answered);
  ASSERT_TRUE(answered);
  ASSERT_TRUE(answered->envelope.error);
  EXPECT_EQ(answered->envelope.error->code, msg::ErrorCode::unavailable);
  EXPECT_EQ(answered->envelope.request_id, "r1");
}

TYPED_TEST(LinkContract, CarriesAnEventToThoseWhoWantItsPrefix) {
  auto service = this->world.open("service");
  auto hearer = this->world.open("hearer");
  std::optional<core::Frames> heard;
  bool is_foreign_heard = false;
  hearer->on_receive([&](core::Frames got) {
    if (got.topic.starts_with("other/")) is_foreign_heard = true;
    heard = std::move(got);
  });
  hearer->subscribe("mine/");
  std::int64_t looks = 0;
  this->world.wait([&] {
    if (looks++ % this->world.looks_between_sends() == 0) {
      service->send(frames(msg::MessageKind::event, "service", "", "other/c/service.told"));
      service->send(frames(msg::MessageKind::event, "service", "", "mine/c/service.told"));
    }
    return heard.has_value();
  });
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->topic, "mine/c/service.told");
  EXPECT_FALSE(is_foreign_heard);
}

TYPED_TEST(LinkContract, TellsWhenTheLineOfEventsIsLostAndWhenItIsThereAgain) {
  auto hearer = this->world.open("hearer");
  std::vector<bool> told;
  bool is_up = hearer->watch_line([&](bool is_up_now) {
    told.push_back(is_up_now);
    is_up = is_up_now;
  });
  this->world.wait([&] { return is_up; });
  ASSERT_TRUE(is_up);
  if (!this->world.stop_bus()) {
    EXPECT_TRUE(told.empty() || told.back());
    return;
  }
  this->world.wait([&] { return !is_up; });
  EXPECT_FALSE(is_up);
  this->world.start_bus();
  this->world.wait([&] { return is_up; });
  EXPECT_TRUE(is_up);
}

TYPED_TEST(LinkContract, GivesANameToItsNewestOwner) {
  auto asker = this->world.open("asker");
  std::optional<core::Frames> first_got;
  std::optional<core::Frames> second_got;
  auto first = this->world.open("service");
  first->on_receive([&](core::Frames got) { first_got = std::move(got); });
  const auto request = frames(msg::MessageKind::request, "asker", "service", "a.b");
  this->send_until(*asker, request, first_got);
  first.reset();
  auto second = this->world.open("service");
  second->on_receive([&](core::Frames got) { second_got = std::move(got); });
  this->send_until(*asker, request, second_got);
  EXPECT_TRUE(first_got);
  EXPECT_TRUE(second_got);
}

}  // namespace
}  // namespace nucleus::tests
