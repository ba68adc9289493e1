// Tags of images, decided on a view without a store or files.
#include "services/image_store/tags.hpp"

#include <gtest/gtest.h>

#include "services/image_store/driver/simulated_store.hpp"
#include "services/image_store/image_rules.hpp"
#include "services/image_store/volume_plan.hpp"

namespace nucleus::image_store {
namespace {

using core::ErrorCode;

class Tags : public testing::Test {
 protected:
  Tags() {
    for (const auto* name : {"p/x1", "p/x2", "public/x"})
      apply({.images = {{.image = {.image_id = {name}, .format = msg::ImageFormat::qcow2},
                         .folder = name,
                         .has_disk = true}}});
  }
  void apply(const Plan& plan) {
    view_.apply(plan);
    view_.check();
  }
  core::Result<Plan> tag(const std::string& image, const std::string& name) const {
    return plan_tag(view_, {.image_id = {image}, .tag = name});
  }
  /// Node `n` of project `p` is defined with this image or tag.
  void define(const std::string& image) {
    apply(plan_definition(view_, store_,
                          {.node_id = {"n"}, .project_id = {"p"}, .image_id = {image}}, "ticket"));
  }
  SimulatedStore store_ = {};
  View view_ = {};
};

TEST_F(Tags, NameOneImageAndMove) {
  apply(*tag("p/x1", "p/x:stable"));
  apply(*tag("p/x1", "p/x:old"));
  EXPECT_EQ(view_.tags_of({"p/x1"}), (std::vector<std::string>{"p/x:old", "p/x:stable"}));
  EXPECT_TRUE(tag("p/x1", "p/x:stable")->tags.empty()) << "it is so already";
  apply(*tag("p/x2", "p/x:stable"));
  EXPECT_EQ(view_.tagged_image("p/x:stable")->value, "p/x2");
  EXPECT_EQ(view_.tags_of({"p/x1"}), std::vector<std::string>{"p/x:old"});
  EXPECT_EQ(plan_untag(view_, {.image_id = {"p/x1"}, .tag = "p/x:stable"}).error().code,
            ErrorCode::not_found);
  apply(*plan_untag(view_, {.image_id = {"p/x2"}, .tag = "p/x:stable"}));
  EXPECT_EQ(view_.tagged_image("p/x:stable"), nullptr);
}

TEST_F(Tags, AreNamesOfTheProjectOfTheirImage) {
  for (const auto* bad : {"x:stable", "q/x:stable", "p/x", "p/:stable", "p/x:", "p/x:a:b",
                          "p/a b:c", "p/x:../y", "", "p/", "p:x/y"}) {
    const auto refused = tag("p/x1", bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().field, "tag") << bad;
  }
  EXPECT_EQ(tag("p/none", "p/x:stable").error().field, "image_id");
  for (std::size_t i = 0; i < tags_max; ++i) apply(*tag("p/x1", "p/x:t" + std::to_string(i)));
  EXPECT_EQ(tag("p/x1", "p/x:more").error().code, ErrorCode::wrong_state);
}

TEST_F(Tags, KeepTheirImageFromRemoval) {
  apply(*tag("p/x1", "p/x:stable"));
  const auto refused = check_removable(view_, {.image_id = {"p/x1"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail,
            "tag p/x:stable names image p/x1: move or remove the tag first");
  EXPECT_TRUE(check_unused(view_, {.image_id = {"p/x1"}}));
  apply(*tag("p/x2", "p/x:stable"));
  EXPECT_TRUE(check_removable(view_, {.image_id = {"p/x1"}}));
}

TEST_F(Tags, AreListedWithTheirImageAndFindIt) {
  apply(*tag("p/x1", "p/x:stable"));
  const auto image = shown_image(view_, *view_.image({"p/x1"}));
  EXPECT_EQ(image.tags, std::vector<std::string>{"p/x:stable"});
  const msg::Viewer viewer{.projects = {{"p"}}};
  EXPECT_TRUE(is_listed({.viewer = viewer, .name = "x:stable"}, image));
  EXPECT_TRUE(is_listed({.viewer = viewer, .name = "x1"}, image));
  EXPECT_FALSE(is_listed({.viewer = viewer, .name = "x:old"}, image));
}

TEST_F(Tags, AreResolvedOnceForADisk) {
  define("p/x:stable");
  EXPECT_EQ(plan_tag_resolved(view_, *view_.volume({"n"})).error().detail,
            "waits for image p/x:stable, which does not exist");
  apply(*tag("p/x1", "p/x:stable"));
  apply(*plan_tag_resolved(view_, *view_.volume({"n"})));
  apply(*tag("p/x2", "p/x:stable"));
  EXPECT_EQ(view_.volume({"n"})->cloned_image().value, "p/x1");
  EXPECT_FALSE(check_removable(view_, {.image_id = {"p/x1"}})) << "its disk is still to be made";
  apply(*plan_clone_end(view_, store_, {"n"},
                        msg::Volume{.node_id = {"n"}, .path = "/n", .disk_bytes = 1 << 20}));
  EXPECT_EQ(view_.volume({"n"})->volume.image_id.value, "p/x1");
  EXPECT_EQ(view_.volume({"n"})->image_folder, "p/x1");
  define("p/x:stable");
  EXPECT_EQ(view_.volume({"n"})->cloned_image().value, "p/x1") << "defined again";
}

TEST_F(Tags, OfOtherProjectsNameNothing) {
  apply({.images = {{.image = {.image_id = {"q/x"}}, .folder = "q", .has_disk = true}}});
  apply(*tag("q/x", "q/x:stable"));
  apply(*tag("public/x", "public/x:stable"));
  define("q/x:stable");
  EXPECT_FALSE(plan_tag_resolved(view_, *view_.volume({"n"})));
  define("public/x:stable");
  EXPECT_TRUE(plan_tag_resolved(view_, *view_.volume({"n"})));
}

}  // namespace
}  // namespace nucleus::image_store
