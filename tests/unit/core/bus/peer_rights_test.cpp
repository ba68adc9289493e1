// The rights of a key.
#include "core/bus/peer_rights.hpp"

#include <gtest/gtest.h>

namespace nucleus::core {
namespace {

TEST(PeerRights, AKeyWithoutNameAndProjectHasNoRights) {
  EXPECT_FALSE(is_known({}));
  EXPECT_FALSE(is_known({.calls = "*"}));
  EXPECT_TRUE(is_known({.name = "registry"}));
  EXPECT_TRUE(is_known({.project = "demo"}));
}

TEST(PeerRights, ANameMustMatchCompletely) {
  const PeerRights host{.name = "provisioner/host-01"};
  EXPECT_TRUE(may_be(host, "provisioner/host-01"));
  for (const char* other : {"", "provisioner", "provisioner/", "provisioner/host-011",
                            "provisioner/host-02", "registry"})
    EXPECT_FALSE(may_be(host, other)) << other;
  EXPECT_FALSE(may_be({}, ""));
  EXPECT_FALSE(may_be({.project = "demo"}, ""));
}

TEST(PeerRights, AStarMatchesOneName) {
  const PeerRights any{.name = "operator/*"};
  EXPECT_TRUE(may_be(any, "operator/4711"));
  for (const char* other :
       {"operator", "operator/", "operator/a/b", "operator/a b", "operators/1", "registry"})
    EXPECT_FALSE(may_be(any, other)) << other;
}

TEST(PeerRights, TopicsMatchByPrefix) {
  const PeerRights rights{.name = "overhead", .calls = "provisioner. registry.list-clusters"};
  EXPECT_TRUE(may_call(rights, "overhead", "provisioner/h", "provisioner.probe-host"));
  EXPECT_TRUE(may_call(rights, "overhead", "registry", "registry.list-clusters"));
  EXPECT_FALSE(may_call(rights, "overhead", "registry", "registry.issue-token"));
  EXPECT_FALSE(may_call(rights, "overhead", "registry", ""));
  EXPECT_TRUE(may_call({.name = "gateway", .calls = "*"}, "gateway", "x", "registry.issue-token"));
  EXPECT_FALSE(may_call({.name = "x"}, "x", "registry", "registry.list-clusters"));
  EXPECT_FALSE(may_call({.name = "x", .calls = "  "}, "x", "y", "registry.list-clusters"));
}

TEST(PeerRights, EveryProcessMayCallProcessTopicsOnItselfOnly) {
  const PeerRights rights{.name = "network"};
  EXPECT_TRUE(may_call(rights, "network", "network", "process.ping"));
  EXPECT_FALSE(may_call(rights, "network", "scheduler", "process.drain"));
  EXPECT_FALSE(may_call(rights, "network", "network", "network.list-networks"));
}

TEST(PeerRights, AProcessEmitsOnlyEventsOfItsService) {
  EXPECT_TRUE(may_emit("registry", "p/c/registry.cluster-defined"));
  EXPECT_TRUE(may_emit("console/2", "p/c/console.opened"));
  for (const char* topic :
       {"p/c/network.leased", "p/c/registrys.x", "registry/x", "p/c/registry", ""})
    EXPECT_FALSE(may_emit("registry", topic)) << topic;
}

TEST(PeerRights, TheSchedulerEmitsWhatProvisionersReportAndTheyEmitNothing) {
  constexpr const char* topic = "p/c/provisioner.domain-changed";
  EXPECT_TRUE(may_emit("scheduler", topic));
  for (const char* name : {"provisioner", "provisioner/host-01", "registry"})
    EXPECT_FALSE(may_emit(name, topic)) << name;
}

TEST(PeerRights, ASubscriptionMustLieWithinTheProjectOrPublic) {
  const PeerRights tenant{.project = "demo"};
  EXPECT_TRUE(may_subscribe(tenant, "demo/"));
  EXPECT_TRUE(may_subscribe(tenant, "demo/c/registry."));
  for (const char* prefix : {"", "demo", "dem", "demo2/", "other/"})
    EXPECT_FALSE(may_subscribe(tenant, prefix)) << prefix;
  for (const auto* prefix : {"public/", "public/_/image_store."})
    EXPECT_TRUE(may_subscribe(tenant, prefix)) << prefix;
  EXPECT_FALSE(may_subscribe(tenant, "public"));
  EXPECT_FALSE(may_subscribe({.name = "provisioner/h1"}, "public/"));
  EXPECT_TRUE(may_subscribe({.project = "*"}, ""));
  EXPECT_FALSE(may_subscribe({.name = "registry"}, ""));
}

}  // namespace
}  // namespace nucleus::core
