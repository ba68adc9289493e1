// The generations of a disk, decided on a view without a store or files.
#include "services/image_store/generations.hpp"

#include <gtest/gtest.h>

#include "services/image_store/driver/simulated_store.hpp"
#include "services/image_store/volume_plan.hpp"

namespace nucleus::image_store {
namespace {

using core::ErrorCode;
using msg::DiskWorkKind;

class ImagePaths final : public SimulatedStore {
 public:
  ImageFiles files_of(const StoredImage& image) const override {
    return {.disk = "/images/" + image.folder};
  }
};

/// Node `n` has a disk that is a clone of an image.
class Generations : public testing::Test {
 protected:
  Generations() {
    apply({.images = {{.image = {.image_id = {"p/x"}, .format = msg::ImageFormat::qcow2},
                       .folder = "i",
                       .has_disk = true}}});
    apply(plan_definition(view_, store_,
                          {.node_id = {"n"}, .project_id = {"p"}, .image_id = {"p/x"}}, "ticket"));
    apply(*plan_clone_end(view_, store_, {"n"},
                          msg::Volume{.node_id = {"n"}, .path = "/n", .disk_bytes = 1 << 20}));
  }
  void apply(const Plan& plan) {
    last_ = plan;
    view_.apply(plan);
    view_.check();
  }
  core::Result<Plan> plan(DiskWorkKind kind, const std::string& work_id,
                          std::uint64_t generation = 0, const std::string& name = {}) const {
    return plan_disk_work(view_,
                          {.node_id = {"n"},
                           .work_id = work_id,
                           .kind = kind,
                           .generation = generation,
                           .name = name},
                          "f-" + work_id, 1000);
  }
  void end(std::uint64_t size_bytes = 0, const std::string& sha256 = {}) {
    end(FileDigest{.size_bytes = size_bytes, .sha256 = sha256});
  }
  void end(const core::Result<FileDigest>& made) {
    const auto ended = plan_disk_work_end(view_, {"n"}, stored().work.work_id, made);
    ASSERT_TRUE(ended);
    apply(*ended);
  }
  void save(const std::string& work_id, const std::string& name = {}) {
    const auto begun = plan(DiskWorkKind::save, work_id, 0, name);
    ASSERT_TRUE(begun) << begun.error().detail;
    apply(*begun);
    end(4096);
  }
  void roll_back(const std::string& work_id, std::uint64_t generation) {
    apply(*plan(DiskWorkKind::roll_back, work_id, generation));
    end();
  }
  const StoredVolume& stored() const { return *view_.volume({"n"}); }

  ImagePaths store_ = {};
  View view_ = {};
  Plan last_ = {};
};

TEST_F(Generations, AreRecordedFirstThenMadeThenAnnounced) {
  apply(*plan(DiskWorkKind::save, "w1", 0, "clean"));
  EXPECT_FALSE(last_.volumes[0].is_announced);
  EXPECT_TRUE(view_.unsettled().contains({"n"}));
  EXPECT_TRUE(view_.is_folder_used("f-w1"));
  EXPECT_EQ(seal_request(stored()).folder, "f-w1");
  EXPECT_EQ(content_of(stored()).ended_work_id, "");
  end(4096);
  EXPECT_TRUE(last_.volumes[0].is_announced);
  EXPECT_TRUE(view_.unsettled().empty());
  const auto content = content_of(stored());
  EXPECT_EQ(content.ended_work_id, "w1");
  EXPECT_EQ(content.generation, 1U);
  ASSERT_EQ(content.generations.size(), 1U);
  const auto& saved = content.generations[0];
  EXPECT_EQ(saved.number, 1U);
  EXPECT_EQ(saved.name, "clean");
  EXPECT_EQ(saved.saved_unix_s, 1000);
  EXPECT_EQ(saved.size_bytes, 4096U);
  EXPECT_EQ(saved.parent, 0U);
  ASSERT_EQ(stored().volume.layers.size(), 1U);
  EXPECT_EQ(stored().volume.layers[0].content_id, "f-w1");
}

TEST_F(Generations, AreOneWorkForARepeatedRequest) {
  apply(*plan(DiskWorkKind::save, "w1"));
  EXPECT_TRUE(plan(DiskWorkKind::save, "w1")->volumes.empty());
  EXPECT_EQ(plan(DiskWorkKind::save, "w2").error().code, ErrorCode::wrong_state);
  end();
  EXPECT_TRUE(plan(DiskWorkKind::save, "w1")->volumes.empty());
  EXPECT_EQ(stored().generations.size(), 1U);
  EXPECT_FALSE(plan_disk_work_end(view_, {"n"}, "w1", FileDigest{}));
}

TEST_F(Generations, BranchAfterARollBackAndKeepTheirNumbers) {
  save("w1");
  save("w2");
  roll_back("w3", 1);
  EXPECT_EQ(stored().generation, 1U);
  save("w4");
  ASSERT_EQ(stored().generations.size(), 3U);
  EXPECT_EQ(stored().generations[2].shown.number, 3U);
  EXPECT_EQ(stored().generations[2].shown.parent, 1U);
  EXPECT_EQ(folders_of(stored(), 3), (std::vector<std::string>{"i", "f-w1", "f-w4"}));
  ASSERT_EQ(stored().volume.layers.size(), 2U);
  EXPECT_EQ(stored().volume.layers[1].content_id, "f-w4");
  apply(*plan(DiskWorkKind::remove, "w5", 2));
  end();
  EXPECT_TRUE(view_.doomed_folders().contains("f-w2"));
  EXPECT_FALSE(view_.is_folder_used("f-w2"));
  save("w6");
  EXPECT_EQ(stored().generations.back().shown.number, 4U) << "no number is used twice";
}

TEST_F(Generations, RollBackToALayerOrToTheImage) {
  save("w1");
  apply(*plan(DiskWorkKind::roll_back, "w2", 1));
  EXPECT_EQ(roll_back_request(stored(), store_)->folder, "f-w1");
  end();
  apply(*plan(DiskWorkKind::roll_back, "w3", 0));
  const auto request = roll_back_request(stored(), store_);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->folder, "");
  EXPECT_EQ(request->image, "/images/i");
  EXPECT_EQ(request->image_format, "qcow2");
  EXPECT_EQ(request->disk_bytes, 1U << 20);
  end();
  EXPECT_TRUE(stored().volume.layers.empty());
  EXPECT_EQ(plan(DiskWorkKind::roll_back, "w4", 7).error().code, ErrorCode::not_found);
}

TEST_F(Generations, StayAsTheyWereWhenWorkFails) {
  save("w1");
  apply(*plan(DiskWorkKind::save, "w2"));
  end(core::refuse(ErrorCode::no_capacity, "the disk is full"));
  EXPECT_EQ(stored().generations.size(), 1U);
  EXPECT_EQ(content_of(stored()).reason, "the disk is full");
  EXPECT_EQ(content_of(stored()).ended_work_id, "w2");
  EXPECT_TRUE(view_.doomed_folders().contains("f-w2"));
  EXPECT_FALSE(view_.is_folder_used("f-w2"));
  save("w3");
  EXPECT_EQ(stored().generations.back().shown.number, 2U);
}

TEST_F(Generations, AreRefusedWhenSomethingContinuesThemOrTheirNameIsTaken) {
  save("w1", "a");
  save("w2", "b");
  EXPECT_EQ(plan(DiskWorkKind::remove, "w3", 2).error().code, ErrorCode::wrong_state);
  EXPECT_EQ(plan(DiskWorkKind::save, "w3", 0, "a").error().code, ErrorCode::conflict);
  EXPECT_EQ(plan(DiskWorkKind::save, "../w3").error().code, ErrorCode::invalid_argument);
}

TEST_F(Generations, ThatAreRemovedLeaveWhatTheySavedToTheNextOne) {
  for (const auto* work : {"w1", "w2", "w3", "w4"}) save(work);
  apply(*plan_disk_work(view_,
                        {.node_id = {"n"},
                         .work_id = "w5",
                         .kind = DiskWorkKind::remove,
                         .generation = 3,
                         .first_generation = 2},
                        "f-w5", 1000));
  const auto request = merge_request(stored(), store_);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->folder, "f-w4");
  EXPECT_EQ(request->parent_folder, "f-w1");
  EXPECT_EQ(request->sent_folder, "") << "no host reads it";
  EXPECT_EQ(request->disk_bytes, 1U << 20);
  end(9000);
  const auto content = content_of(stored());
  ASSERT_EQ(content.generations.size(), 2U);
  EXPECT_EQ(content.generations[1].number, 4U);
  EXPECT_EQ(content.generations[1].parent, 1U);
  EXPECT_EQ(content.generations[1].size_bytes, 9000U);
  EXPECT_EQ(content.generation, 4U);
  for (const auto* folder : {"f-w2", "f-w3"}) {
    EXPECT_TRUE(view_.doomed_folders().contains(folder)) << folder;
    EXPECT_FALSE(view_.is_folder_used(folder)) << folder;
  }
  apply(*plan(DiskWorkKind::remove, "w6", 1));
  EXPECT_EQ(merge_request(stored(), store_)->image, "/images/i");
  end(9000);
  EXPECT_EQ(stored().generations.front().shown.parent, 0U);
}

TEST_F(Generations, OfAHostGetANewIdWhenTheyTakeOverAnother) {
  for (const auto* work : {"w1", "w2"}) {
    apply(*plan_received_layer(
        view_, {.node_id = {"n"}, .work_id = work, .size_bytes = 4096, .sha256 = work},
        std::string("f-") + work, 1000));
    end(4096);
  }
  apply(*plan(DiskWorkKind::remove, "w3", 1));
  EXPECT_EQ(merge_request(stored(), store_)->sent_folder, "f-w3");
  EXPECT_EQ(merge_request(stored(), store_)->folder, "f-w2") << "what continues it names that";
  end(8192, "merged");
  ASSERT_EQ(stored().volume.layers.size(), 1U);
  EXPECT_EQ(stored().volume.layers[0].content_id, "f-w3");
  EXPECT_EQ(stored().volume.layers[0].sha256, "merged");
  EXPECT_TRUE(view_.is_folder_used("f-w2"));
  EXPECT_TRUE(view_.is_folder_used("f-w3"));
  apply(plan_removal(view_, {{"n"}}));
  apply(plan_removal_end(view_, {"n"}));
  EXPECT_TRUE(view_.doomed_folders().contains("f-w3"));
}

TEST_F(Generations, AreRemovedTogetherOnlyInOneLine) {
  for (const auto* work : {"w1", "w2"}) save(work);
  roll_back("w3", 1);
  save("w4");
  const auto remove = [this](std::uint64_t first, std::uint64_t last) {
    return plan_disk_work(view_,
                          {.node_id = {"n"},
                           .work_id = "w5",
                           .kind = DiskWorkKind::remove,
                           .generation = last,
                           .first_generation = first},
                          "f-w5", 1000);
  };
  EXPECT_EQ(remove(1, 2).error().code, ErrorCode::wrong_state) << "1 is continued twice";
  EXPECT_EQ(remove(2, 3).error().code, ErrorCode::wrong_state) << "3 is in use";
  EXPECT_EQ(remove(3, 2).error().code, ErrorCode::wrong_state) << "not of one line";
  EXPECT_TRUE(remove(2, 2));
}

TEST_F(Generations, AreReceivedFromAHostUnlessOtherWorkTakesTheirPlace) {
  const auto receive = [this](const std::string& work_id) {
    return plan_received_layer(view_,
                               {.node_id = {"n"},
                                .work_id = work_id,
                                .name = work_id,
                                .size_bytes = 4096,
                                .sha256 = "abc"},
                               "f-" + work_id, 1000);
  };
  apply(*receive("w1"));
  EXPECT_TRUE(receive("w1")->volumes.empty());
  EXPECT_TRUE(view_.unsettled().empty()) << "nothing is to be done here before it has arrived";
  EXPECT_EQ(adopt_request(stored(), store_).image, "/images/i");
  apply(*receive("w2"));
  EXPECT_TRUE(view_.doomed_folders().contains("f-w1"));
  EXPECT_FALSE(plan_disk_work_end(view_, {"n"}, "w1", FileDigest{4096})) << "it is void";
  end(4096);
  EXPECT_EQ(content_of(stored()).ended_work_id, "w2");
  ASSERT_EQ(stored().volume.layers.size(), 1U);
  EXPECT_EQ(stored().volume.layers[0].sha256, "abc");
  apply(*receive("w3"));
  EXPECT_EQ(adopt_request(stored(), store_).parent_folder, "f-w2");
  apply(*plan(DiskWorkKind::roll_back, "w4", 0));
  end();
  EXPECT_EQ(stored().generation, 0U);
}

TEST_F(Generations, GoWithTheirNodeAndKeepTheImageUntilThen) {
  save("w1");
  apply(*plan(DiskWorkKind::save, "w2"));
  apply({.images_removed = {{"p/x"}}, .folders_doomed = {"i"}});
  EXPECT_TRUE(view_.is_folder_used("i"));
  apply(plan_removal(view_, {{"n"}}));
  EXPECT_FALSE(plan_disk_work_end(view_, {"n"}, "w2", FileDigest{})) << "removed meanwhile";
  EXPECT_EQ(plan(DiskWorkKind::save, "w3").error().code, ErrorCode::not_found);
  apply(plan_removal_end(view_, {"n"}));
  for (const auto* folder : {"i", "f-w1", "f-w2"}) {
    EXPECT_TRUE(view_.doomed_folders().contains(folder)) << folder;
    EXPECT_FALSE(view_.is_folder_used(folder)) << folder;
  }
}

TEST_F(Generations, SurviveAnIsoThatIsMissingForAWhile) {
  save("w1");
  msg::Node node = stored().node;
  node.iso_id = {"p/cd"};
  apply(plan_definition(view_, store_, node, ""));
  EXPECT_EQ(stored().state, VolumeState::waiting);
  EXPECT_EQ(plan(DiskWorkKind::save, "w2").error().code, ErrorCode::wrong_state);
  node.iso_id = {};
  apply(plan_definition(view_, store_, node, ""));
  apply(*plan_clone_end(view_, store_, {"n"},
                        msg::Volume{.node_id = {"n"}, .path = "/n", .disk_bytes = 1 << 20}));
  EXPECT_EQ(stored().state, VolumeState::ready);
  EXPECT_EQ(stored().volume.layers.size(), 1U);
  EXPECT_EQ(content_of(stored()).generation, 1U);
}

}  // namespace
}  // namespace nucleus::image_store
