// The rights of a key over tcp, with real ZeroMQ, CURVE and a real broker: a wrong key, or a name,
// topic or project without a grant, is refused and affects no other peer.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "tests/support/curve_bus.hpp"

namespace nucleus::tests {
namespace {

using msg::MessageKind;

class Curve : public testing::Test {
 protected:
  struct Peer {
    std::unique_ptr<core::ZmqLink> link;
    std::vector<core::Frames> received = {};
    void send(MessageKind kind, const std::string& to, const std::string& topic,
              const std::string& as = "") {
      core::Frames frames{.topic = topic, .body = "body"};
      frames.envelope = {.kind = kind,
                         .request_id = "r1",
                         .sender = as.empty() ? link->name() : as,
                         .to = to,
                         .deadline_unix_ms = INT64_MAX};
      link->send(std::move(frames));
    }
    bool has(MessageKind kind, const std::string& topic) const {
      return std::ranges::any_of(received, [&](const core::Frames& one) {
        return one.envelope.kind == kind && one.topic == topic;
      });
    }
    /// The error code of the last reply that has one.
    msg::ErrorCode refusal() const {
      for (auto one = received.rbegin(); one != received.rend(); ++one)
        if (one->envelope.error) return one->envelope.error->code;
      return msg::ErrorCode::unknown;
    }
  };

  std::unique_ptr<Peer> open(core::ZmqLinkOptions options) {
    auto peer = std::make_unique<Peer>();
    peer->link = std::make_unique<core::ZmqLink>(bus.loop, std::move(options));
    peer->link->on_receive([&received = peer->received](core::Frames frames) {
      received.push_back(std::move(frames));
    });
    return peer;
  }
  std::unique_ptr<Peer> open(const std::string& name, core::PeerRights rights) {
    return open(bus.link_options(name, bus.new_key(std::move(rights))));
  }
  /// Repeats the request until `callee` receives it: its `hello` may not have arrived yet.
  bool reaches(Peer& caller, Peer& callee, const std::string& topic) {
    std::int64_t checks = 0;
    return bus.wait([&] {
      if (checks++ % 20 == 0) caller.send(MessageKind::request, callee.link->name(), topic);
      return callee.has(MessageKind::request, topic);
    });
  }

  CurveBus bus = {};
};

TEST_F(Curve, AKeyIsRefusedUntilItHasRights) {
  const auto pair = core::new_curve_pair();
  auto stranger = open(bus.link_options("registry", pair));
  auto caller = open("operator/1", {.name = "operator/*", .calls = "*"});
  ASSERT_TRUE(bus.wait([&] { return bus.count(bus::BrokerEvent::key_refused) > 0; }));
  caller->send(MessageKind::request, "registry", "registry.list");
  ASSERT_TRUE(bus.wait([&] { return caller->refusal() == msg::ErrorCode::unavailable; }));
  EXPECT_TRUE(stranger->received.empty());
  // The same link, after its key was granted rights.
  bus.grant(pair, {.name = "registry"});
  EXPECT_TRUE(reaches(*caller, *stranger, "registry.list"));
}

TEST_F(Curve, ALinkWithAWrongServerKeyNeverConnects) {
  auto options = bus.link_options("registry", bus.new_key({.name = "registry"}));
  options.keys.server_public = core::new_curve_pair().public_key;
  auto misled = open(options);
  auto caller = open("gateway", {.name = "gateway", .calls = "*"});
  auto callee = open("scheduler", {.name = "scheduler"});
  ASSERT_TRUE(reaches(*caller, *callee, "scheduler.list"));
  caller->send(MessageKind::request, "registry", "registry.list");
  ASSERT_TRUE(bus.wait([&] { return caller->refusal() == msg::ErrorCode::unavailable; }));
  EXPECT_TRUE(misled->received.empty());
}

TEST_F(Curve, APeerCannotTakeOverANameItsKeyDoesNotAllow) {
  auto registry = open("registry", {.name = "registry"});
  auto caller = open("gateway", {.name = "gateway", .calls = "*"});
  ASSERT_TRUE(reaches(*caller, *registry, "registry.list"));
  auto impostor = open("registry", {.name = "provisioner/host-01", .calls = "*"});
  ASSERT_TRUE(bus.wait([&] { return bus.count(bus::BrokerEvent::forbidden) > 0; }));
  impostor->send(MessageKind::request, "registry", "registry.steal");
  ASSERT_TRUE(bus.wait([&] { return bus.count(bus::BrokerEvent::forbidden) > 1; }));
  registry->received.clear();
  EXPECT_TRUE(reaches(*caller, *registry, "registry.list"));
  EXPECT_FALSE(registry->has(MessageKind::request, "registry.steal"));
  EXPECT_TRUE(impostor->received.empty());
}

TEST_F(Curve, OneKeyCanHaveManyNamesBelowItsPrefix) {
  auto registry = open("registry", {.name = "registry"});
  const auto pair = bus.new_key({.name = "operator/*", .calls = "registry."});
  auto first = open(bus.link_options("operator/1", pair));
  auto second = open(bus.link_options("operator/2", pair));
  EXPECT_TRUE(reaches(*first, *registry, "registry.first"));
  EXPECT_TRUE(reaches(*second, *registry, "registry.second"));
  registry->send(MessageKind::reply, "operator/1", "registry.first");
  registry->send(MessageKind::reply, "operator/2", "registry.second");
  EXPECT_TRUE(bus.wait([&] {
    return first->has(MessageKind::reply, "registry.first") &&
           second->has(MessageKind::reply, "registry.second");
  }));
}

TEST_F(Curve, ATopicThatTheKeyDoesNotAllowIsForbidden) {
  auto registry = open("registry", {.name = "registry"});
  auto provisioner = open("provisioner/host-01", {.name = "provisioner/host-01",
                                                  .calls = "scheduler.report-host registry.look"});
  EXPECT_TRUE(reaches(*provisioner, *registry, "registry.look"));
  provisioner->send(MessageKind::request, "registry", "registry.issue-token");
  ASSERT_TRUE(bus.wait([&] { return provisioner->refusal() == msg::ErrorCode::forbidden; }));
  EXPECT_FALSE(registry->has(MessageKind::request, "registry.issue-token"));
}

TEST_F(Curve, AnEventOfAnotherServiceIsDropped) {
  auto subscriber = open("scheduler", {.name = "scheduler", .project = "*"});
  subscriber->link->subscribe("");
  auto network = open("network", {.name = "network"});
  std::int64_t checks = 0;
  // One connection keeps the order: once the second event arrives, the first was dropped.
  ASSERT_TRUE(bus.wait([&] {
    if (checks++ % 20 == 0) {
      network->send(MessageKind::event, "", "p/c/registry.cluster-removed");
      network->send(MessageKind::event, "", "p/c/network.ports-leased");
    }
    return subscriber->has(MessageKind::event, "p/c/network.ports-leased");
  }));
  EXPECT_FALSE(subscriber->has(MessageKind::event, "p/c/registry.cluster-removed"));
}

TEST_F(Curve, AProvisionerEmitsNoEventsAndSubscribesToNone) {
  auto scheduler = open("scheduler", {.name = "scheduler", .project = "*"});
  scheduler->link->subscribe("");
  auto host = open("provisioner/host-01",
                   {.name = "provisioner/host-01", .calls = "scheduler.report-domains"});
  for (const char* prefix : {"", "p/", "public/"}) host->link->subscribe(prefix);
  std::int64_t checks = 0;
  ASSERT_TRUE(bus.wait([&] {
    if (checks++ % 20 == 0) {
      host->send(MessageKind::event, "", "p/c/provisioner.domain-changed");
      host->send(MessageKind::request, "scheduler", "scheduler.report-domains");
      scheduler->send(MessageKind::event, "", "p/c/scheduler.node-changed");
    }
    return scheduler->has(MessageKind::request, "scheduler.report-domains") &&
           scheduler->has(MessageKind::event, "p/c/scheduler.node-changed");
  }));
  EXPECT_FALSE(scheduler->has(MessageKind::event, "p/c/provisioner.domain-changed"));
  EXPECT_FALSE(host->has(MessageKind::event, "p/c/scheduler.node-changed"));
}

TEST_F(Curve, ASubscriberReceivesOnlyItsProject) {
  auto service = open(bus.local_options("registry"));
  auto subscriber = open("", {.project = "mine"});
  for (const char* prefix : {"", "min", "other/", "mine/"}) subscriber->link->subscribe(prefix);
  std::int64_t checks = 0;
  ASSERT_TRUE(bus.wait([&] {
    if (checks++ % 20 == 0)
      for (const char* topic :
           {"other/c/registry.changed", "mine2/c/registry.changed", "mine/c/registry.changed"})
        service->send(MessageKind::event, "", topic);
    return subscriber->has(MessageKind::event, "mine/c/registry.changed");
  }));
  for (const auto& one : subscriber->received) EXPECT_EQ(one.topic, "mine/c/registry.changed");
}

TEST_F(Curve, AnIdleServiceIsReachableAgainAfterTheBusRestarts) {
  auto registry = open("registry", {.name = "registry"});
  auto caller = open("gateway", {.name = "gateway", .calls = "*"});
  ASSERT_TRUE(reaches(*caller, *registry, "registry.before"));
  bus.stop();
  bus.start();
  EXPECT_TRUE(reaches(*caller, *registry, "registry.after"));
}

TEST_F(Curve, ProcessesOfThisMachineAndOthersReachEachOther) {
  auto local = open(bus.local_options("scheduler"));
  auto remote = open("provisioner/host-01", {.name = "provisioner/host-01", .calls = "scheduler."});
  EXPECT_TRUE(reaches(*remote, *local, "scheduler.report-host"));
  EXPECT_TRUE(reaches(*local, *remote, "provisioner.apply-grants"));
  // The newest connection owns the name, here a process on the same machine as the bus.
  remote.reset();
  auto moved = open(bus.local_options("provisioner/host-01"));
  moved->send(MessageKind::request, "scheduler", "scheduler.report-host");
  EXPECT_TRUE(reaches(*local, *moved, "provisioner.apply-grants"));
}

}  // namespace
}  // namespace nucleus::tests
