// The gateway's routes and the OpenAPI document say the same, both ways: path, method and right.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "gateway/service.hpp"
#include "tests/support/process.hpp"

namespace nucleus::tests {
namespace {

using Told = std::set<std::string>;

gateway::Json document() {
  std::ifstream file(NUCLEUS_BIN_DIR "/portal/openapi.json");
  return gateway::Json::parse(file);
}

Told told_by(const gateway::Json& openapi) {
  Told told;
  for (const auto& [path, operations] : openapi.at("paths").items())
    for (const auto& [method, operation] : operations.items()) {
      std::string upper = method;
      std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
      told.insert(upper + " " + path + " " + operation.value("x-right", "nobody"));
    }
  return told;
}

Told told_by(const std::vector<gateway::Route>& routes) {
  Told told;
  for (const auto& route : routes)
    told.insert(
        route.method + " " + route.pattern + " " +
        (route.needs == msg::Right::unknown ? "nobody" : std::string(msg::name_of(route.needs))));
  return told;
}

TEST(OpenApi, TellsEveryRouteWithItsRightAndNoOther) {
  Deployment deployment;
  Told routes;
  const Process process(deployment, "gateway", {},
                        [&](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                          auto config = gateway::Config::from(runtime.settings);
                          if (!config) return std::unexpected(config.error());
                          const auto gateway = std::make_shared<gateway::Service>(runtime, *config);
                          routes = told_by(gateway->routes());
                          return gateway;
                        });
  EXPECT_GT(routes.size(), 60u);
  EXPECT_EQ(told_by(document()), routes);
}

TEST(OpenApi, NamesOnlySchemasThatAreThere) {
  const auto openapi = document();
  const std::string text = openapi.dump();
  const std::string mark = "#/components/schemas/";
  std::size_t count = 0;
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1), ++count) {
    const auto begin = at + mark.size();
    const std::string name = text.substr(begin, text.find('"', begin) - begin);
    EXPECT_TRUE(openapi["components"]["schemas"].contains(name)) << name;
  }
  EXPECT_GT(count, 0u);
}

}  // namespace
}  // namespace nucleus::tests
