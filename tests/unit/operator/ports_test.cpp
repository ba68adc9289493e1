// The ports that deployments choose.
#include "operator/ports.hpp"

#include <gtest/gtest.h>

#include <list>
#include <set>

namespace nucleus::operator_ {
namespace {

TEST(Ports, AreOfOneDeploymentAloneWhileManyChooseThemAtOnce) {
  constexpr int deployments = 60;
  std::list<PortClaims> claims;
  std::set<std::uint16_t> all;
  std::size_t chosen = 0;
  for (int i = 0; i < deployments; ++i) {
    Deployment deployment;
    deployment.options.is_simulated = true;
    ASSERT_TRUE(choose_ports(deployment, claims.emplace_back()));
    ASSERT_GE(deployment.ports.size(), 10U);
    all.insert(deployment.options.listen_port);
    for (const auto& [purpose, port] : deployment.ports) all.insert(port);
    chosen += deployment.ports.size() + 1;
  }
  EXPECT_EQ(all.size(), chosen);
}

TEST(Ports, ThatWereChosenEarlierAreKeptUnlessAnotherCommandHasThem) {
  Deployment deployment;
  deployment.options.is_simulated = true;
  {
    PortClaims claims;
    ASSERT_TRUE(choose_ports(deployment, claims));
  }
  const auto earlier = deployment.ports;
  PortClaims others;
  ASSERT_TRUE(others.take(earlier.at("events")));
  PortClaims claims;
  ASSERT_TRUE(choose_ports(deployment, claims));
  EXPECT_NE(deployment.ports.at("events"), earlier.at("events"));
  EXPECT_EQ(deployment.ports.at("requests"), earlier.at("requests"));
}

}  // namespace
}  // namespace nucleus::operator_
