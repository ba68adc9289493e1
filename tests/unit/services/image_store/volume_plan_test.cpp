// The changes of a volume, decided on a view without a store or files.
#include "services/image_store/volume_plan.hpp"

#include <gtest/gtest.h>

#include "services/image_store/driver/simulated_store.hpp"
#include "services/image_store/image_rules.hpp"

namespace nucleus::image_store {
namespace {

/// Knows paths and nothing else.
class Paths final : public SimulatedStore {
 public:
  ImageFiles files_of(const StoredImage& image) const override {
    return {.disk = "/images/" + image.folder};
  }
};

class VolumePlan : public testing::Test {
 protected:
  void publish(const std::string& image, const std::string& folder) {
    apply({.images = {{.image = {.image_id = {image}, .format = msg::ImageFormat::raw},
                       .folder = folder,
                       .has_disk = true}}});
  }
  const StoredVolume& define(msg::Node node) {
    node.project_id = {"p"};
    apply(plan_definition(view_, paths_, node, "ticket of " + node.node_id.value));
    return *view_.volume(node.node_id);
  }
  /// True if the end of the clone changed anything.
  bool end_clone(const core::Result<msg::Volume>& made) {
    const auto plan = plan_clone_end(view_, paths_, {"n"}, made);
    if (plan) apply(*plan);
    return plan.has_value();
  }
  void apply(const Plan& plan) {
    last_ = plan;
    view_.apply(last_);
    view_.check();
  }

  Paths paths_ = {};
  View view_ = {};
  Plan last_ = {};
};

TEST_F(VolumePlan, WaitsForItsImageThenClonesIt) {
  const msg::Node node{.node_id = {"n"}, .project_id = {"p"}, .image_id = {"p/x"}};
  EXPECT_EQ(define(node).state, VolumeState::waiting);
  const auto missing = plan_clone(view_, paths_, node);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().detail, "waits for image p/x, which does not exist");
  EXPECT_TRUE(end_clone(std::unexpected(missing.error())));
  EXPECT_TRUE(last_.volumes[0].is_announced);
  EXPECT_FALSE(end_clone(std::unexpected(missing.error()))) << "the same reason again";
  publish("p/x", "f1");
  const auto request = plan_clone(view_, paths_, node);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->image.disk, "/images/f1");
  EXPECT_TRUE(end_clone(msg::Volume{.node_id = {"n"}, .path = "/volumes/n"}));
  EXPECT_EQ(view_.volume({"n"})->state, VolumeState::ready);
  EXPECT_EQ(view_.volume({"n"})->reason, "");
  EXPECT_TRUE(view_.unsettled().empty());
}

TEST_F(VolumePlan, WaitsIfItsIsoDoesNotExistAndIsReadyAgainWithoutIt) {
  publish("p/cd", "f1");
  publish("q/cd", "f2");
  msg::Node node{.node_id = {"n"}};
  define(node);
  ASSERT_TRUE(end_clone(msg::Volume{.node_id = {"n"}}));
  node.iso_id = {"p/cd"};
  EXPECT_EQ(define(node).volume.iso_path, "/images/f1");
  EXPECT_EQ(view_.volume({"n"})->state, VolumeState::ready);
  node.iso_id = {"q/cd"};
  EXPECT_EQ(define(node).reason, "waits for image q/cd, which does not exist");
  EXPECT_EQ(view_.volume({"n"})->volume.iso_path, "");
  node.iso_id = {};
  define(node);
  ASSERT_TRUE(end_clone(msg::Volume{.node_id = {"n"}}));
  EXPECT_EQ(view_.volume({"n"})->state, VolumeState::ready);
}

TEST_F(VolumePlan, KeepsTheFolderOfItsImageInUseUntilItsFileIsDeleted) {
  publish("p/x", "f1");
  define({.node_id = {"n"}, .image_id = {"p/x"}});
  ASSERT_TRUE(end_clone(msg::Volume{.node_id = {"n"}}));
  EXPECT_EQ(check_removable(view_, {"p/x"}).error().code, core::ErrorCode::wrong_state);
  apply(plan_removal(view_, {{"n"}, {"other"}}));
  ASSERT_TRUE(check_removable(view_, {"p/x"})) << "a removed node uses nothing";
  apply({.images_removed = {{"p/x"}}, .folders_doomed = {"f1"}});
  EXPECT_TRUE(view_.is_folder_used("f1"));
  publish("p/x", "f2");
  EXPECT_FALSE(end_clone(msg::Volume{.node_id = {"n"}})) << "it is removed";
  define({.node_id = {"n"}, .image_id = {"p/x"}});
  EXPECT_EQ(view_.volume({"n"})->state, VolumeState::removed) << "a late event changes nothing";
  apply(plan_removal_end(view_, {"n"}));
  EXPECT_FALSE(view_.is_folder_used("f1"));
  EXPECT_TRUE(view_.is_folder_used("f2"));
}

TEST_F(VolumePlan, KnowsHowNodesUseAnImage) {
  publish("p/x", "f1");
  publish("p/cd", "f2");
  const auto can_remove = [&](const std::string& image, bool is_kept_for_clones) {
    return check_removable(view_, {{image}, is_kept_for_clones}).has_value();
  };
  define({.node_id = {"n"}, .image_id = {"p/x"}, .iso_id = {"p/cd"}});
  EXPECT_FALSE(can_remove("p/x", false) || can_remove("p/x", true)) << "its disk is not made yet";
  EXPECT_FALSE(can_remove("p/cd", false) || can_remove("p/cd", true)) << "it is in its drive";
  ASSERT_TRUE(end_clone(msg::Volume{.node_id = {"n"}}));
  EXPECT_FALSE(can_remove("p/x", false));
  EXPECT_TRUE(can_remove("p/x", true));
  apply({.images_removed = {{"p/x"}}, .folders_doomed = {"f1"}});
  EXPECT_TRUE(view_.is_folder_used("f1")) << "the disk keeps its files";
  publish("p/x", "f3");
  EXPECT_TRUE(can_remove("p/x", false)) << "the node uses the former image of this name";
  apply(plan_removal(view_, {{"n"}}));
  EXPECT_TRUE(can_remove("p/cd", false));
  apply(plan_removal_end(view_, {"n"}));
  EXPECT_FALSE(view_.is_folder_used("f1"));
}

using VolumePlanDeathTest = VolumePlan;
TEST_F(VolumePlanDeathTest, AssertsThatOnlyARemovedVolumeEnds) {
  define({.node_id = {"n"}});
  EXPECT_DEATH(plan_removal_end(view_, {"n"}), "assertion failed");
}

TEST_F(VolumePlan, OpensABaseByTheTicketOfItsVolumeAlone) {
  using enum msg::BaseFileKind;
  publish("p/x", "folder-x");
  publish("p/iso", "folder-iso");
  define({.node_id = {"n"}, .image_id = {"p/x"}});
  define({.node_id = {"m"}});
  EXPECT_TRUE(end_clone(msg::Volume{.node_id = {"n"}, .path = "/volumes/n"}));
  EXPECT_EQ(view_.volume({"n"})->volume.ticket, "ticket of n") << "the clone does not change it";
  const auto find = [&](const std::string& ticket, const std::string& content,
                        msg::BaseFileKind kind) {
    return find_base_file(view_, paths_, ticket, content, kind);
  };
  EXPECT_EQ(find("ticket of n", "folder-x", disk), "/images/folder-x");
  EXPECT_EQ(find("ticket of n", "folder-iso", disk).error().code, core::ErrorCode::not_found);
  EXPECT_EQ(find("ticket of n", "folder-x", kernel).error().code, core::ErrorCode::not_found);
  EXPECT_EQ(find("ticket of m", "folder-x", disk).error().code, core::ErrorCode::not_found);
  EXPECT_EQ(find("", "folder-x", disk).error().code, core::ErrorCode::unauthenticated);

  define({.node_id = {"n"}, .image_id = {"p/x"}, .iso_id = {"p/iso"}});
  EXPECT_EQ(find("ticket of n", "folder-iso", iso), "/images/folder-iso");
  define({.node_id = {"n"}, .image_id = {"p/x"}});
  EXPECT_EQ(find("ticket of n", "folder-iso", iso).error().code, core::ErrorCode::not_found);
  apply(plan_removal(view_, {{"n"}}));
  EXPECT_EQ(find("ticket of n", "folder-x", disk).error().code, core::ErrorCode::unauthenticated);
}

TEST_F(VolumePlan, OpensTheLayersOfADiskByTheTicketOfItsVolumeAlone) {
  using enum msg::BaseFileKind;
  publish("p/x", "folder-x");
  define({.node_id = {"n"}, .image_id = {"p/x"}});
  define({.node_id = {"m"}, .image_id = {"p/x"}});
  EXPECT_TRUE(end_clone(msg::Volume{.node_id = {"n"}, .path = "/volumes/n"}));
  StoredVolume saved = *view_.volume({"n"});
  saved.volume.layers = {{.kind = layer, .content_id = "layer-1", .sha256 = "5a"},
                         {.kind = layer, .content_id = "layer-2", .sha256 = "5b"},
                         {.kind = layer, .content_id = "of-the-store"}};
  apply({.volumes = {{saved}}});
  const auto find = [&](const std::string& ticket, const std::string& content,
                        msg::BaseFileKind kind) {
    return find_base_file(view_, paths_, ticket, content, kind);
  };
  EXPECT_EQ(find("ticket of n", "layer-1", layer), "/images/layer-1");
  EXPECT_EQ(find("ticket of n", "layer-2", layer), "/images/layer-2");
  EXPECT_EQ(find("ticket of n", "folder-x", disk), "/images/folder-x");
  EXPECT_EQ(find("ticket of n", "of-the-store", layer).error().code, core::ErrorCode::not_found);
  EXPECT_EQ(find("ticket of n", "folder-x", layer).error().code, core::ErrorCode::not_found);
  EXPECT_EQ(find("ticket of n", "layer-1", disk).error().code, core::ErrorCode::not_found);
  EXPECT_EQ(find("ticket of m", "layer-1", layer).error().code, core::ErrorCode::not_found);
  EXPECT_EQ(find("", "layer-1", layer).error().code, core::ErrorCode::unauthenticated);
}

TEST_F(VolumePlan, GivesTicketsToTheVolumesOfARelease0_1) {
  publish("p/x", "folder-x");
  StoredVolume old{
      .node = {.node_id = {"n"}, .project_id = {"p"}, .disk_gb = 3, .image_id = {"p/x"}},
      .volume = {.node_id = {"n"}, .path = "/volumes/n"},
      .state = VolumeState::ready,
      .image_folder = "folder-x"};
  apply({.volumes = {{old}}});
  int made = 0;
  const auto new_ticket = [&] { return "new " + std::to_string(++made); };
  apply(plan_missing_tickets(view_, paths_, new_ticket));
  const auto& volume = view_.volume({"n"})->volume;
  EXPECT_EQ(volume.ticket, "new 1");
  EXPECT_EQ(volume.disk_bytes, 3ULL << 30);
  ASSERT_EQ(volume.base.size(), 1U);
  EXPECT_EQ(volume.base[0].content_id, "folder-x");
  EXPECT_TRUE(last_.volumes[0].is_announced);
  EXPECT_TRUE(plan_missing_tickets(view_, paths_, new_ticket).volumes.empty());
}

}  // namespace
}  // namespace nucleus::image_store
