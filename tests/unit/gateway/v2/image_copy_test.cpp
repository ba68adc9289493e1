// The copy of a node's image in v2.
#include <gtest/gtest.h>

#include "gateway/v2/routes.hpp"

namespace nucleus::gateway {
namespace {

NodeStatusesById with_copy(const std::optional<msg::ImageCopy>& copy) {
  return {{"n1", {.node_id = {"n1"}, .image_copy = copy}}};
}

TEST(ImageCopyJson, HasProgressAndTime) {
  const Json shown = image_copy_json(
      {.node_id = {"n1"}, .copied_bytes = 865, .total_bytes = 2000, .bytes_per_s = 50});
  EXPECT_EQ(shown, Json::parse(R"({"node_id": "n1", "copied_bytes": 865, "total_bytes": 2000,
      "bytes_per_s": 50, "reason": "", "percent": 43, "eta_s": 23})"));
}

TEST(ImageCopyJson, HasNoTimeWhileNothingIsCopied) {
  const Json shown = image_copy_json(
      {.node_id = {"n1"}, .total_bytes = 2000, .bytes_per_s = 9, .reason = "the store is away"});
  EXPECT_EQ(shown, Json::parse(R"({"node_id": "n1", "copied_bytes": 0, "total_bytes": 2000,
      "bytes_per_s": 9, "reason": "the store is away", "percent": 0})"));
  EXPECT_FALSE(image_copy_json({.copied_bytes = 1, .total_bytes = 2}).contains("eta_s"));
  EXPECT_EQ(image_copy_json({.reason = "not known yet"})["percent"], 0);
}

TEST(ImageCopyJson, IsPartOfANodeThatIsThenNotCached) {
  const msg::Node node{.node_id = {"n1"}};
  const Json without = node_json(node, with_copy(std::nullopt));
  EXPECT_FALSE(without.contains("image_copy"));
  EXPECT_TRUE(node_headers(without).empty());
  const Json with = node_json(node, with_copy(msg::ImageCopy{.copied_bytes = 1, .total_bytes = 2}));
  EXPECT_EQ(with["image_copy"]["percent"], 50);
  EXPECT_EQ(node_headers(with).at("Cache-Control"), "no-cache");
}

}  // namespace
}  // namespace nucleus::gateway
