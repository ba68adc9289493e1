// Tags of images on a real bus and Redis: a node's disk is made of what its tag named then.
#include "tests/service/image_store_room.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;

class ImageTags : public ImageStore {
 protected:
  core::Result<msg::Image> tag(const std::string& image, const std::string& name) {
    return ask(msg::TagImage{.image_id = {image}, .tag = name});
  }
  std::vector<std::string> tags_of(const std::string& image) {
    const auto images = ask(msg::ListImages{.viewer = {.projects = {{"p"}}}});
    if (!images) return {};
    for (const auto& one : images->images)
      if (one.image_id.value == image) return one.tags;
    return {};
  }
};

TEST_F(ImageTags, AreMovedAndStayAfterARestart) {
  start();
  for (const auto* image : {"p/x1", "p/x2"}) ASSERT_TRUE(put(image));
  const auto tagged = tag("p/x1", "p/x:stable");
  ASSERT_TRUE(tagged) << tagged.error().detail;
  EXPECT_EQ(tagged->tags, std::vector<std::string>{"p/x:stable"});
  const auto event = events_.next<msg::ImageTagged>();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->project_id.value, "p");
  EXPECT_EQ(event->image_id.value, "p/x1");
  ASSERT_TRUE(tag("p/x2", "p/x:stable"));
  restart();
  EXPECT_EQ(tags_of("p/x1"), std::vector<std::string>{});
  EXPECT_EQ(tags_of("p/x2"), std::vector<std::string>{"p/x:stable"});
  EXPECT_EQ(ask(msg::RemoveImage{{"p/x2"}}).error().detail,
            "tag p/x:stable names image p/x2: move or remove the tag first");
  ASSERT_TRUE(ask(msg::UntagImage{.image_id = {"p/x2"}, .tag = "p/x:stable"}));
  EXPECT_EQ(ask(msg::UntagImage{.image_id = {"p/x2"}, .tag = "p/x:stable"}).error().code,
            ErrorCode::not_found);
  EXPECT_TRUE(ask(msg::RemoveImage{{"p/x2"}}));
  EXPECT_EQ(tag("p/x1", "q/x:stable").error().field, "tag");
  EXPECT_EQ(tag("p/none", "p/x:stable").error().field, "image_id");
}

TEST_F(ImageTags, NameTheImageOfADiskThatIsMadeThenAndKeptAfterwards) {
  start();
  for (const auto* image : {"p/x1", "p/x2"}) ASSERT_TRUE(put(image));
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node("n1", "p/x:stable")}));
  const auto waiting = volume_of("n1", false);
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->reason, "waits for image p/x:stable, which does not exist");
  ASSERT_TRUE(tag("p/x1", "p/x:stable"));
  const auto first = volume_of("n1", true);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->volume.image_id.value, "p/x1");
  ASSERT_TRUE(tag("p/x2", "p/x:stable"));
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node("n2", "p/x:stable")}));
  const auto second = volume_of("n2", true);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->volume.image_id.value, "p/x2");
  const auto volumes = ask(msg::ListVolumes{.viewer = {.projects = {{"p"}}}});
  ASSERT_TRUE(volumes);
  ASSERT_EQ(volumes->volumes.size(), 2U);
  EXPECT_EQ(volumes->volumes[0].image_id.value, "p/x1") << "it keeps what it was made of";
  EXPECT_EQ(ask(msg::RemoveImage{{"p/x1"}}).error().detail, "nodes use image p/x1, such as n1");
}

TEST_F(ImageTags, GoWithTheProjectOfTheirImage) {
  start();
  ASSERT_TRUE(put("p/x"));
  ASSERT_TRUE(tag("p/x", "p/x:stable"));
  ASSERT_TRUE(registry_.emit(msg::ProjectRemoved{{"p"}}));
  const auto removed = events_.next<msg::ImageUntagged>();
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->tag, "p/x:stable");
  EXPECT_TRUE(eventually([&] { return !is_listed("p/x"); }));
}

}  // namespace
}  // namespace nucleus::tests
