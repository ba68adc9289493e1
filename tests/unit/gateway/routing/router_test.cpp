// Which route a method and a path mean.
#include "gateway/routing/router.hpp"

#include <gtest/gtest.h>

namespace nucleus::gateway {
namespace {

Router a_router() {
  Router router;
  router.add("GET", "/v1/cluster/", msg::Right::read, {});
  router.add("GET", "/v1/cluster/{cluster}/", msg::Right::read, {});
  router.add("PUT", "/v1/cluster/{cluster}/", msg::Right::read, {});
  router.add("GET", "/v1/cluster/{cluster}/compute/{node}/", msg::Right::read, {});
  router.add_public("GET", "/healthz", {});
  return router;
}

TEST(Router, FindsARouteWithTheValuesOfItsPath) {
  const auto router = a_router();
  const auto match = router.find("GET", "/v1/cluster/vc1/compute/vm-vc1-00/");
  ASSERT_TRUE(match.route);
  EXPECT_EQ(match.route->pattern, "/v1/cluster/{cluster}/compute/{node}/");
  EXPECT_EQ(match.path.at("cluster"), "vc1");
  EXPECT_EQ(match.path.at("node"), "vm-vc1-00");
}

TEST(Router, TakesAPathWithAndWithoutItsLastSlashAndTheOldPrefix) {
  const auto router = a_router();
  for (const char* path :
       {"/v1/cluster/", "/v1/cluster", "/nucleus/v1/cluster/", "/nucleus/v1/cluster"}) {
    const auto match = router.find("GET", path);
    ASSERT_TRUE(match.route) << path;
    EXPECT_EQ(match.route->pattern, "/v1/cluster/") << path;
  }
  EXPECT_EQ(router.find("GET", "/healthz").route->needs, msg::Right::unknown);
}

TEST(Router, ReportsTheAllowedMethodsIfOnlyTheMethodDoesNotMatch) {
  const auto router = a_router();
  const auto match = router.find("DELETE", "/v1/cluster/vc1/");
  EXPECT_FALSE(match.route);
  EXPECT_EQ(match.allowed, "GET, PUT");
}

TEST(Router, FindsNoRouteForAnUnknownPath) {
  const auto router = a_router();
  for (const char* path :
       {"/", "", "/v1", "/v1/", "/v2/cluster/", "/v1/cluster/vc1/compute/",
        "/v1/cluster/vc1/compute/n/x/", "//v1/cluster/", "/v1//cluster/", "/v1/cluster//compute/n/",
        "/nucleus/nucleus/v1/cluster/", "/V1/cluster/"}) {
    const auto match = router.find("GET", path);
    EXPECT_FALSE(match.route) << path;
    EXPECT_EQ(match.allowed, "") << path;
  }
}

TEST(Router, PutsNoSlashIntoAValue) {
  const auto router = a_router();
  EXPECT_FALSE(router.find("GET", "/v1/cluster/../../etc/passwd/").route);
  const auto dots = router.find("GET", "/v1/cluster/../");
  ASSERT_TRUE(dots.route) << "any text is a value; the handler checks it";
  EXPECT_EQ(dots.path.at("cluster"), "..");
}

}  // namespace
}  // namespace nucleus::gateway
