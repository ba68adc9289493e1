// Layers that hosts send to the image store: over real TLS, checked, published as generations once,
// also after restarts.
#include <filesystem>
#include <fstream>

#include "core/digest/digest.hpp"
#include "core/runtime/child_process.hpp"
#include "messages/layers.hpp"
#include "tests/service/uploads_room.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;
using core::ErrorCode;

class ReceivedLayers : public Uploads {
 protected:
  void start_with_node() {
    start();
    ASSERT_TRUE(registry_.emit(msg::NodeDefined{
        {.node_id = {"n"}, .cluster_id = {"c"}, .project_id = {"p"}, .name = "n", .disk_gb = 1}}));
    ASSERT_TRUE(events_.next<msg::VolumePlaced>(
        [](const msg::VolumePlaced& placed) { return placed.is_ready; }));
    layer_ = a_layer("1G");
  }
  /// What a host has sealed: a disk with `z` at its start.
  std::string a_layer(const std::string& size) const {
    const auto file = folder_.file("sealed");
    for (const std::vector<std::string>& argv :
         {std::vector<std::string>{"qemu-img", "create", "-q", "-f", "qcow2", file, size},
          {"qemu-io", "-f", "qcow2", "-c", "write -q -P 122 0 64k", file}})
      EXPECT_TRUE(core::must_run_child({.argv = argv}));
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  core::Result<msg::UploadTicket> receive(const std::string& work_id, const std::string& layer) {
    auto ticket = ask(msg::ReceiveLayer{.node_id = {"n"},
                                        .work_id = work_id,
                                        .name = work_id,
                                        .size_bytes = layer.size(),
                                        .sha256 = core::sha256_hex(layer)});
    // A path: hosts know where the image store listens.
    if (ticket && ticket->url.starts_with('/'))
      ticket->url = "https://" + hosts_listen_ + ticket->url;
    return ticket;
  }
  std::optional<msg::VolumePlaced> end_of(const std::string& work_id) {
    return events_.next<msg::VolumePlaced>(
        [&](const msg::VolumePlaced& placed) { return placed.disk.ended_work_id == work_id; });
  }
  std::string layer_ = {};
};

TEST_F(ReceivedLayers, BecomeGenerationsThatHostsReadAsTheyWereSent) {
  start_with_node();
  const auto first = receive("w1", layer_);
  ASSERT_TRUE(first) << first.error().detail;
  const auto half = layer_.size() / 2;
  ASSERT_EQ(patch(*first, 0, layer_.substr(0, half)).status, 204);
  restart();
  const auto ticket = receive("w1", layer_);
  ASSERT_TRUE(ticket);
  EXPECT_EQ(ticket->upload_id, first->upload_id);
  EXPECT_EQ(ticket->offset_bytes, half);
  ASSERT_EQ(patch(*ticket, half, layer_.substr(half)).status, 204);
  const auto ended = end_of("w1");
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->disk.reason, "");
  EXPECT_EQ(ended->disk.generation, 1U);
  ASSERT_EQ(ended->volume.layers.size(), 1U);
  const auto& layer = ended->volume.layers[0];
  EXPECT_EQ(layer.sha256, core::sha256_hex(layer_));
  std::ifstream in(folder_.file("images/" + layer.content_id + "/disk"), std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), layer_);
  const auto again = receive("w1", layer_);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->url, "") << "it has arrived";
  EXPECT_TRUE(eventually([&] { return fs::is_empty(folder_.file("uploads")); }));
  // Disks of the store continue it.
  ASSERT_TRUE(ask(msg::WorkOnDisk{
      .node_id = {"n"}, .work_id = "w2", .kind = msg::DiskWorkKind::roll_back, .generation = 1}));
  ASSERT_TRUE(end_of("w2"));
  const auto read = core::must_run_child(
      {.argv = {"qemu-io", "-f", "qcow2", "-c", "read -P 122 0 64k", ended->volume.path}});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->find("verification failed"), std::string::npos);
}

TEST_F(ReceivedLayers, ThatAreWrongEndTheWorkWithAReason) {
  start_with_node();
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {std::string(4096, 'x'), "is not a qcow2"}, {a_layer("2G"), "of another size"}};
  int count = 0;
  for (const auto& [layer, reason] : wrong) {
    const auto work_id = "w" + std::to_string(++count);
    const auto ticket = receive(work_id, layer);
    ASSERT_TRUE(ticket);
    ASSERT_EQ(patch(*ticket, 0, layer).status, 204);
    const auto ended = end_of(work_id);
    ASSERT_TRUE(ended) << reason;
    EXPECT_NE(ended->disk.reason, "") << reason;
    EXPECT_TRUE(ended->disk.generations.empty());
  }
  EXPECT_EQ(ask(msg::ReceiveLayer{.node_id = {"n"}, .work_id = "w", .size_bytes = 1}).error().field,
            "sha256");
  EXPECT_EQ(receive("../w", layer_).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(listed().size(), 0U) << "they are no images of the project";
}

TEST_F(ReceivedLayers, AreDroppedWhenTheirNodeIsRemoved) {
  start_with_node();
  const auto ticket = receive("w1", layer_);
  ASSERT_TRUE(ticket);
  ASSERT_TRUE(registry_.emit(msg::NodeRemoved{
      {.node_id = {"n"}, .cluster_id = {"c"}, .project_id = {"p"}, .name = "n", .disk_gb = 1}}));
  ASSERT_TRUE(eventually([&] { return fs::is_empty(folder_.file("volumes")); }));
  ASSERT_EQ(patch(*ticket, 0, layer_).status, 204);
  EXPECT_TRUE(eventually([&] { return fs::is_empty(folder_.file("uploads")); }));
  EXPECT_TRUE(fs::is_empty(folder_.file("volumes")));
}

}  // namespace
}  // namespace nucleus::tests
