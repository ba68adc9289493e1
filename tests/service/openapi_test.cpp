// The gateway's routes and the OpenAPI document contain the same paths, methods, rights and
// parameters.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "gateway/service.hpp"
#include "tests/support/process.hpp"

namespace nucleus::tests {
namespace {

using RouteSet = std::set<std::string>;

gateway::Json document() {
  std::ifstream file(NUCLEUS_BIN_DIR "/portal/openapi.json");
  return gateway::Json::parse(file);
}

std::string list_of(const std::set<std::string>& parameters) {
  std::string text;
  for (const auto& name : parameters) text += " " + name;
  return text;
}

RouteSet routes_of(const gateway::Json& openapi) {
  RouteSet routes;
  for (const auto& [path, operations] : openapi.at("paths").items())
    for (const auto& [method, operation] : operations.items()) {
      std::string upper = method;
      std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
      std::set<std::string> parameters;
      for (const auto& parameter : operation.value("parameters", gateway::Json::array()))
        if (path.starts_with("/v2/") && parameter.at("in") == "query")
          parameters.insert(parameter.at("name"));
      routes.insert(upper + " " + path + " " + operation.value("x-right", "nobody") +
                    list_of(parameters));
    }
  return routes;
}

RouteSet routes_of(const std::vector<gateway::Route>& routes) {
  RouteSet all;
  for (const auto& route : routes)
    all.insert(
        route.method + " " + route.pattern + " " +
        (route.needs == msg::Right::unknown ? "nobody" : std::string(msg::name_of(route.needs))) +
        list_of(route.parameters));
  return all;
}

TEST(OpenApi, ListsExactlyTheRoutesWithTheirRightsAndParameters) {
  Deployment deployment;
  RouteSet routes;
  const Process process(deployment, "gateway", {},
                        [&](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                          auto config = gateway::Config::from(runtime.settings);
                          if (!config) return std::unexpected(config.error());
                          const auto gateway = std::make_shared<gateway::Service>(runtime, *config);
                          routes = routes_of(gateway->routes());
                          return gateway;
                        });
  EXPECT_GT(routes.size(), 60u);
  EXPECT_EQ(routes_of(document()), routes);
}

TEST(OpenApi, RefersOnlyToSchemasThatExist) {
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
