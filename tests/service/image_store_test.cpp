// The image store on a real bus and Redis, against its README: what is checked before an image is
// published, what a node's volume waits for, and what is removed when.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

#include "core/runtime/child_process.hpp"
#include "tests/service/image_store_room.hpp"
#include "tests/support/images.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;
using core::ErrorCode;
using msg::ImageFormat;

/// A qemu-img that comes first in the path and logs its arguments.
class WatchedQemuImg {
 public:
  WatchedQemuImg() : path_before_{std::getenv("PATH")} {
    std::ofstream(folder_.file("qemu-img"))
        << "#!/bin/sh\necho \"$@\" >>" << log() << "\nPATH=" << path_before_
        << " exec qemu-img \"$@\"\n";
    fs::permissions(folder_.file("qemu-img"), fs::perms::owner_all);
    setenv("PATH", (folder_.path() + ":" + path_before_).c_str(), 1);
  }
  ~WatchedQemuImg() { setenv("PATH", path_before_.c_str(), 1); }
  WatchedQemuImg(const WatchedQemuImg&) = delete;
  WatchedQemuImg& operator=(const WatchedQemuImg&) = delete;

  std::string runs() const {
    std::ostringstream text;
    text << std::ifstream(log()).rdbuf();
    return text.str();
  }

 private:
  std::string log() const { return folder_.file("runs"); }
  TemporaryFolder folder_ = {};
  std::string path_before_;
};

/// Stages an import until the test lets it finish.
class SlowStore : public image_store::SimulatedStore {
 public:
  core::Result<image_store::StagedFiles> stage(const image_store::StageRequest& request) override {
    begun_.set_value();
    may_finish_.get_future().wait_for(wait_timeout);
    return SimulatedStore::stage(request);
  }
  bool wait_until_staging() {
    return begun_.get_future().wait_for(wait_timeout) == std::future_status::ready;
  }
  void finish() { may_finish_.set_value(); }

 private:
  std::promise<void> begun_ = {};
  std::promise<void> may_finish_ = {};
};

TEST_F(ImageStore, PublishesAnUploadWithItsSizeAndDigests) {
  start(false);
  const std::string bytes(1 << 20, 'x');
  const auto image = upload("p/disk", ImageFormat::raw, bytes);
  ASSERT_TRUE(image) << image.error().detail;
  EXPECT_EQ(image->size_bytes, bytes.size());
  EXPECT_EQ(image->virtual_bytes, bytes.size());
  EXPECT_EQ(image->sha256.size(), 64U);
  EXPECT_EQ(image->md5.size(), 32U);
  EXPECT_TRUE(is_listed("p/disk"));
  const auto published = events_.next<msg::ImagePublished>();
  ASSERT_TRUE(published);
  EXPECT_EQ(published->image, *image);
  EXPECT_TRUE(eventually([&] { return fs::is_empty(folder_.file("uploads")); }));
}

TEST_F(ImageStore, RefusesAndRemovesAnUploadWithAnotherDigest) {
  start(false);
  const auto ticket = begin("p/disk");
  ASSERT_TRUE(ticket);
  std::ofstream(ticket->path) << std::string(512, 'x');
  const auto refused =
      ask(msg::FinishUpload{.upload_id = ticket->upload_id, .sha256 = std::string(64, '0')});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(refused.error().field, "sha256");
  EXPECT_TRUE(eventually([&] { return !fs::exists(ticket->path); }));
  EXPECT_FALSE(is_listed("p/disk"));
  EXPECT_EQ(ask(msg::FinishUpload{.upload_id = ticket->upload_id}).error().code,
            ErrorCode::not_found);
  EXPECT_EQ(metric(*service_, "nucleus_image_store_uploads_refused_total"), 1);
}

TEST_F(ImageStore, AcceptsADigestInEitherCase) {
  start(false);
  const auto ticket = begin("p/disk");
  ASSERT_TRUE(ticket);
  std::ofstream(ticket->path) << std::string(512, '\0');
  EXPECT_TRUE(ask(msg::FinishUpload{.upload_id = ticket->upload_id,
                                    .md5 = "BF619EAC0CDF3F68D496EA9344137E8B"}));
}

TEST_F(ImageStore, RefusesHostileImagesBeforeAnyToolOpensThem) {
  WatchedQemuImg qemu_img;
  start(false);
  int number = 0;
  for (const auto& [what, bytes] : hostile_qcow2_images()) {
    const auto refused = upload("p/i" + std::to_string(++number), ImageFormat::qcow2, bytes);
    ASSERT_FALSE(refused) << what;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument) << what;
    EXPECT_EQ(refused.error().field, "format") << what;
  }
  const auto listed = ask(msg::ListImages{.viewer = {.projects = {{"p"}}}});
  ASSERT_TRUE(listed);
  EXPECT_TRUE(listed->images.empty());
  EXPECT_EQ(qemu_img.runs(), "");
  EXPECT_TRUE(fs::is_empty(folder_.file("uploads")));
}

TEST_F(ImageStore, PassesTheDeclaredFormatToEveryTool) {
  WatchedQemuImg qemu_img;
  start(false);
  // A raw disk that begins with a qcow2 header with a backing file stays a raw disk.
  auto trap = a_qcow2_header();
  put_number(trap, 8, 0x200, 8);
  trap.resize(1 << 20);
  ASSERT_TRUE(upload("p/trap", ImageFormat::raw, trap));
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node("n1", "p/trap")}));
  ASSERT_TRUE(volume_of("n1", true));
  EXPECT_NE(qemu_img.runs().find("-F raw"), std::string::npos) << qemu_img.runs();
  EXPECT_EQ(qemu_img.runs().find("info"), std::string::npos);
}

TEST_F(ImageStore, PublishesACopyThatNobodyElseCanWrite) {
  start(false);
  const auto ticket = begin("p/disk");
  ASSERT_TRUE(ticket);
  const std::string checked(65'536, 'x');
  std::ofstream sender(ticket->path, std::ios::binary);
  sender << checked << std::flush;
  ASSERT_TRUE(ask(msg::FinishUpload{.upload_id = ticket->upload_id}));
  sender.seekp(0);
  sender << std::string(checked.size(), 'y') << std::flush;
  std::size_t disks = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_.file("images"))) {
    if (!entry.is_regular_file() || entry.file_size() != checked.size()) continue;
    std::ostringstream content;
    content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    EXPECT_TRUE(content.str() == checked) << entry.path();
    ++disks;
  }
  EXPECT_EQ(disks, 1U);
}

TEST_F(ImageStore, RefusesAFileThatIsTooLarge) {
  start(false);
  const auto ticket = begin("p/disk");
  ASSERT_TRUE(ticket);
  EXPECT_EQ(ticket->size_bytes_max, 8ULL << 20);
  std::ofstream(ticket->path) << "x";
  fs::resize_file(ticket->path, (8 << 20) + 512);
  EXPECT_EQ(ask(msg::FinishUpload{.upload_id = ticket->upload_id}).error().field, "size");
  EXPECT_TRUE(eventually([&] { return !fs::exists(ticket->path); }));
}

TEST_F(ImageStore, RefusesInvalidAndExistingNames) {
  start();
  for (const char* wrong :
       {"", "x", "/x", "p/", "p/x/y", "../x", "p/..", "p/a b", "p/-o", "P/x\n", "p/7"})
    EXPECT_EQ(begin(wrong).error().field, "image_id") << wrong;
  EXPECT_EQ(begin("p/x", ImageFormat::unknown).error().field, "format");
  ASSERT_TRUE(put("p/x"));
  EXPECT_EQ(begin("p/x").error().code, ErrorCode::wrong_state);
  EXPECT_EQ(put("p/x").error().code, ErrorCode::wrong_state);
}

TEST_F(ImageStore, PublishesOnlyForProjectsThatExist) {
  start();
  const auto is_refused = [&](const auto& answer) {
    return !answer && answer.error().code == ErrorCode::not_found &&
           answer.error().field == "image_id";
  };
  EXPECT_TRUE(is_refused(put("none/x")));
  EXPECT_TRUE(is_refused(begin("none/x")));
  EXPECT_EQ(put("none/x").error().detail, "no such project: none");
  const auto ticket = begin("q/late");
  ASSERT_TRUE(ticket);
  ASSERT_TRUE(registry_.emit(msg::ProjectRemoved{{"q"}}));
  ASSERT_TRUE(eventually([&] { return is_refused(begin("q/x")); }));
  EXPECT_EQ(ask(msg::FinishUpload{.upload_id = ticket->upload_id}).error().field, "upload_id")
      << "it was removed with its project";
  restart();
  EXPECT_TRUE(is_refused(put("q/x")));
  EXPECT_TRUE(put("p/x")) << "its project is known after a restart";
  EXPECT_TRUE(put("public/x"));
}

TEST_F(ImageStore, PublishesNothingForAProjectThatWasRemovedMeanwhile) {
  const auto slow = std::make_shared<SlowStore>();
  simulated_ = slow;
  start();
  auto import = std::async(std::launch::async, [&] { return put("q/x"); });
  ASSERT_TRUE(slow->wait_until_staging());
  ASSERT_TRUE(registry_.emit(msg::ProjectRemoved{{"q"}}));
  ASSERT_TRUE(eventually([&] { return !begin("q/y"); }));
  slow->finish();
  const auto refused = import.get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "no such project: q");
  EXPECT_TRUE(ask(msg::ListImages{.viewer = {.is_operator = true}})->images.empty());
}

TEST_F(ImageStore, PublishesOneOfTwoUploadsOfAName) {
  start();
  const auto first = begin("p/x");
  const auto second = begin("p/x");
  ASSERT_TRUE(first && second);
  for (const auto* ticket : {&*first, &*second}) write(*ticket, std::string(65'536, 'x'));
  ASSERT_TRUE(ask(msg::FinishUpload{.upload_id = second->upload_id}));
  EXPECT_EQ(ask(msg::FinishUpload{.upload_id = first->upload_id}).error().code,
            ErrorCode::wrong_state);
}

TEST_F(ImageStore, RepliesTheSameToARepeatedFinishAfterARestart) {
  start();
  const auto ticket = begin("p/x");
  ASSERT_TRUE(ticket);
  write(*ticket, std::string(65'536, 'x'));
  const msg::FinishUpload finish{.upload_id = ticket->upload_id};
  const auto first = ask(finish, "same");
  restart();
  const auto again = ask(finish, "same");
  ASSERT_TRUE(first && again);
  EXPECT_EQ(*first, *again);
  EXPECT_EQ(events_.all<msg::ImagePublished>().size(), 1U);
}

TEST_F(ImageStore, ListsPublicImagesAndThoseOfTheViewersProjects) {
  start();
  for (const char* image : {"public/a", "p/b", "q/c"}) ASSERT_TRUE(put(image));
  const auto listed = ask(msg::ListImages{.viewer = {.projects = {{"p"}}}});
  ASSERT_TRUE(listed);
  std::vector<std::string> names;
  for (const auto& image : listed->images) names.push_back(image.image_id.value);
  EXPECT_EQ(names, (std::vector<std::string>{"p/b", "public/a"}));
}

TEST_F(ImageStore, ListsImagesByNameProjectAndFormatInPages) {
  start();
  for (const char* image : {"public/a", "p/a", "p/b", "q/a"}) ASSERT_TRUE(put(image));
  ASSERT_TRUE(
      ask(msg::ImportImage{.image_id = {"p/cd"}, .format = ImageFormat::iso, .disk_path = "/cd"}));
  const auto list = [this](const msg::ListImages& request) {
    const auto listed = ask(request);
    std::string ids;
    for (const auto& image : listed.value().images) ids += image.image_id.value + " ";
    return std::pair{ids, listed->next};
  };
  const msg::Viewer of_p{.projects = {{"p"}}};
  EXPECT_EQ(list({.viewer = {.is_operator = true}}).first, "p/a p/b p/cd public/a q/a ")
      << "an operator sees those of every project";
  EXPECT_EQ(list({.viewer = of_p, .name = "a"}).first, "p/a public/a ");
  EXPECT_EQ(list({.viewer = of_p, .project_id = {"p"}, .name = "a"}).first, "p/a ");
  EXPECT_EQ(list({.viewer = of_p, .project_id = {"q"}}).first, "");
  EXPECT_EQ(list({.viewer = of_p, .format = ImageFormat::iso}).first, "p/cd ");
  const auto first = list({.viewer = of_p, .page = {.limit = 2}});
  EXPECT_EQ(first.first, "p/a p/b ");
  const auto second = list({.viewer = of_p, .page = {.limit = 2, .after = first.second}});
  EXPECT_EQ(second, (std::pair<std::string, std::string>{"p/cd public/a ", ""}));
  EXPECT_EQ(ask(msg::ListImages{.page = {.limit = 1001}}).error().field, "limit");
}

TEST_F(ImageStore, ListsTheVolumesThatTheViewerMaySeeInPages) {
  start();
  for (const char* name : {"n2", "n1", "n3"})
    ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node(name)}));
  ASSERT_TRUE(volume_of("n3", true));
  const auto list = [this](const msg::ListVolumes& request) {
    const auto listed = ask(request);
    std::string ids;
    for (const auto& volume : listed.value().volumes) ids += volume.node_id.value;
    return std::pair{ids, listed->next};
  };
  const msg::Viewer of_p{.projects = {{"p"}}};
  EXPECT_EQ(list({.viewer = of_p, .cluster_id = {"c"}}).first, "n1n2n3");
  EXPECT_EQ(list({.viewer = of_p, .cluster_id = {"d"}}).first, "");
  EXPECT_EQ(list({.viewer = {.projects = {{"q"}}}}).first, "");
  const auto first = list({.viewer = of_p, .page = {.limit = 2}});
  EXPECT_EQ(first.first, "n1n2");
  EXPECT_EQ(list({.viewer = of_p, .page = {.limit = 2, .after = first.second}}),
            (std::pair<std::string, std::string>{"n3", ""}));
}

TEST_F(ImageStore, KeepsImagesApartWhoseNamesLookLikeTemporaryOnes) {
  start(false);
  const std::string bytes(65'536, 'x');
  for (const char* name : {"p/n.new", "p/n", "p/m"})
    ASSERT_TRUE(upload(name, ImageFormat::raw, bytes)) << name;
  ASSERT_TRUE(ask(msg::RemoveImage{{"p/m"}}));
  ASSERT_TRUE(upload("p/m", ImageFormat::raw, bytes));
  for (const char* name : {"n.new", "n", "m"})
    ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node(name, std::string("p/") + name)}));
  EXPECT_TRUE(eventually([&] {
    return metric(*service_, "nucleus_image_store_volumes_ready") == 3;
  })) << "each image has its files";
}

TEST_F(ImageStore, DeletesTheFilesOfARemovedImageWhenNoVolumeNeedsThem) {
  start(false);
  ASSERT_TRUE(upload("p/x", ImageFormat::raw, std::string(65'536, 'x')));
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node("n1", "p/x")}));
  ASSERT_TRUE(volume_of("n1", true));
  ASSERT_TRUE(registry_.emit(msg::ClusterRemoved{
      .cluster = {.cluster_id = {"c"}, .project_id = {"p"}}, .nodes = {{"n1"}}}));
  ASSERT_TRUE(eventually([&] { return ask(msg::RemoveImage{{"p/x"}}).has_value(); }));
  EXPECT_TRUE(eventually([&] { return fs::is_empty(folder_.file("images")); }));
}

TEST_F(ImageStore, LetsANodeWaitForItsImageAndEmitsTheReasonOnce) {
  start();
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node("n1", "p/late")}));
  const auto waiting = volume_of("n1", false);
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->reason, "waits for image p/late, which does not exist");
  ASSERT_TRUE(put("p/late"));
  const auto ready = volume_of("n1", true);
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->reason, "");
  EXPECT_EQ(events_.all<msg::VolumeChanged>().size(), 2U);
}

TEST_F(ImageStore, EmitsVolumesAndImagesToTheirProjectWithoutPathsOfTheStore) {
  start(false);
  ASSERT_TRUE(upload("p/x", ImageFormat::raw, std::string(65'536, 'x')));
  ASSERT_TRUE(upload("public/y", ImageFormat::raw, std::string(65'536, 'y')));
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node("n1", "p/x")}));
  const auto placed = volume_of("n1", true);
  ASSERT_TRUE(placed);
  EXPECT_TRUE(placed->volume.path.starts_with(folder_.path()));
  const auto emitted = events_.all<msg::VolumeChanged>();
  ASSERT_EQ(emitted.size(), 1U);
  EXPECT_EQ(emitted[0].volume.image_id.value, "p/x");
  EXPECT_TRUE(emitted[0].volume.is_ready);
  const auto topics = events_.topics();
  EXPECT_TRUE(topics.contains("p/c/image_store.volume-changed"));
  EXPECT_TRUE(topics.contains("_/_/image_store.volume-placed"));
  EXPECT_TRUE(topics.contains("p/_/image_store.image-published"));
  EXPECT_TRUE(topics.contains("public/_/image_store.image-published"));
  for (const auto& body : events_.bodies_of_project("p"))
    EXPECT_EQ(body.find(folder_.path()), std::string::npos);
}

TEST_F(ImageStore, TreatsAnotherProjectsImageAsNotExisting) {
  start();
  ASSERT_TRUE(put("q/secret"));
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node("n1", "q/secret")}));
  const auto waiting = volume_of("n1", false);
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->reason, "waits for image q/secret, which does not exist");
}

TEST_F(ImageStore, KeepsAnImageThatANodeUses) {
  start();
  ASSERT_TRUE(put("p/x"));
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node("n1", "p/x")}));
  ASSERT_TRUE(volume_of("n1", true));
  EXPECT_EQ(ask(msg::RemoveImage{{"p/x"}}).error().code, ErrorCode::wrong_state);
  ASSERT_TRUE(registry_.emit(msg::ClusterRemoved{
      .cluster = {.cluster_id = {"c"}, .project_id = {"p"}}, .nodes = {{"n1"}}}));
  ASSERT_TRUE(eventually([&] { return ask(msg::RemoveImage{{"p/x"}}).has_value(); }));
  EXPECT_EQ(ask(msg::RemoveImage{{"p/x"}}).error().code, ErrorCode::not_found);
}

TEST_F(ImageStore, KeepsTheFilesOfARemovedImageForItsClones) {
  start(false);
  const auto image = upload("p/x", ImageFormat::raw, std::string(1 << 20, 'x'));
  ASSERT_TRUE(image);
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node("n1", "p/x")}));
  const auto placed = volume_of("n1", true);
  ASSERT_TRUE(placed);
  const auto refused = ask(msg::RemoveImage{{"p/x"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "nodes use image p/x, such as n1");
  ASSERT_TRUE(ask(msg::RemoveImage{.image_id = {"p/x"}, .is_kept_for_clones = true}));
  EXPECT_FALSE(is_listed("p/x"));
  const auto base = folder_.file("images") + "/" + placed->volume.base.at(0).content_id;
  ASSERT_TRUE(upload("p/x", ImageFormat::raw, std::string(1 << 20, 'y')));
  EXPECT_TRUE(core::must_run_child({.argv = {"qemu-img", "compare", "-f", "qcow2", "-F", "raw",
                                             placed->volume.path, base + "/disk"}}))
      << "the clone has the content of the removed image";
  ASSERT_TRUE(registry_.emit(msg::ClusterRemoved{
      .cluster = {.cluster_id = {"c"}, .project_id = {"p"}}, .nodes = {{"n1"}}}));
  EXPECT_TRUE(eventually([&] { return !fs::exists(base); }));
  EXPECT_TRUE(is_listed("p/x")) << "the new image of this name is another one";
}

TEST_F(ImageStore, DeletesTheVolumesOfARemovedClusterOnly) {
  start(false);
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node("n1")}, msg::NodeDefined{a_node("n2")}));
  ASSERT_TRUE(volume_of("n1", true));
  ASSERT_TRUE(eventually([&] { return events_.all<msg::VolumeChanged>().size() == 2; }));
  const auto file = [&](const std::string& node) {
    return folder_.file("volumes") + "/" + node + ".qcow2";
  };
  ASSERT_TRUE(fs::exists(file("n1")) && fs::exists(file("n2")));
  ASSERT_TRUE(registry_.emit(msg::ClusterRemoved{
      .cluster = {.cluster_id = {"c"}, .project_id = {"p"}}, .nodes = {{"n1"}}}));
  EXPECT_TRUE(eventually([&] { return !fs::exists(file("n1")); }));
  EXPECT_TRUE(fs::exists(file("n2")));
}

TEST_F(ImageStore, AttachesAndDetachesAnIso) {
  start(false);
  ASSERT_TRUE(upload("public/tools.iso", ImageFormat::iso, an_iso()));
  auto node = a_node("n1");
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{node}));
  ASSERT_TRUE(volume_of("n1", true));
  node.iso_id = {"public/tools.iso"};
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{node}));
  const auto attached = volume_of("n1", true);
  ASSERT_TRUE(attached);
  EXPECT_TRUE(attached->volume.iso_path.starts_with(folder_.file("images") + "/"));
  std::ostringstream content;
  content << std::ifstream(attached->volume.iso_path, std::ios::binary).rdbuf();
  EXPECT_EQ(content.str(), an_iso());
  EXPECT_EQ(ask(msg::RemoveImage{{"public/tools.iso"}}).error().code, ErrorCode::wrong_state);
  node.iso_id = {"q/secret.iso"};
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{node}));
  const auto foreign = volume_of("n1", false);
  ASSERT_TRUE(foreign);
  EXPECT_EQ(foreign->volume.iso_path, "") << "another project's counts as not existing";
  node.iso_id = {};
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{node}));
  EXPECT_TRUE(volume_of("n1", true));
}

TEST_F(ImageStore, GivesTheReasonIfAnIsoWasRemovedWhileItWasAttached) {
  start();
  const msg::ImportImage tools{
      .image_id = {"p/tools.iso"}, .format = ImageFormat::iso, .disk_path = "/tools"};
  ASSERT_TRUE(ask(tools));
  auto node = a_node("n1");
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{node}));
  ASSERT_TRUE(volume_of("n1", true));
  // The registry has attached the ISO; its event reaches the image store after the removal.
  ASSERT_TRUE(ask(msg::RemoveImage{{"p/tools.iso"}}));
  node.iso_id = {"p/tools.iso"};
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{node}));
  const auto waiting = volume_of("n1", false);
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->reason, "waits for image p/tools.iso, which does not exist");
  ASSERT_TRUE(ask(tools));
  EXPECT_TRUE(volume_of("n1", true));
}

TEST_F(ImageStore, MakesVolumesOfNodesThatWereDefinedWhileItWasStopped) {
  start();
  service_.reset();
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node("n1")}));
  restart();
  EXPECT_TRUE(volume_of("n1", true));
  EXPECT_TRUE(eventually([&] {
    return metric(*service_, "nucleus_image_store_volumes_ready") == 1 &&
           metric(*service_, "nucleus_image_store_volumes_waiting") == 0;
  }));
}

TEST_F(ImageStore, ImportsAKernelWithItsInitramfsOrNothing) {
  start(false);
  const auto refused = [&](msg::ImportImage request) {
    request.image_id = {"p/x"};
    request.format = ImageFormat::raw;
    return ask(request).error();
  };
  EXPECT_EQ(refused({}).field, "disk_path");
  EXPECT_EQ(refused({.disk_path = "/d", .initramfs_path = "/i"}).field, "kernel_path");
  EXPECT_EQ(refused({.kernel_path = "/nowhere/kernel"}).code, ErrorCode::not_found);
  const std::string kernel = folder_.file("kernel");
  std::ofstream(kernel) << "kernel";
  ASSERT_TRUE(ask(msg::ImportImage{.image_id = {"p/x"},
                                   .format = ImageFormat::raw,
                                   .kernel_path = kernel,
                                   .initramfs_path = kernel,
                                   .cmdline = "quiet"}));
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{a_node("n1", "p/x")}));
  const auto ready = volume_of("n1", true);
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->volume.path, "") << "it runs from memory";
  EXPECT_EQ(ready->volume.cmdline, "quiet");
  EXPECT_TRUE(fs::exists(ready->volume.kernel));
}

}  // namespace
}  // namespace nucleus::tests
