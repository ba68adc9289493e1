// Recordings of serial consoles: what is in them, who sees them, and what becomes of them.
#include <fstream>
#include <nlohmann/json.hpp>

#include "services/console/driver/asciicast.hpp"
#include "tests/service/console_room.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;
using core::ErrorCode;
using msg::RecordingState;

const msg::Viewer member{.projects = {{"lab"}}};

class Recordings : public ConsoleRoom {
 protected:
  Recordings() { credentials_.record_consoles = true; }

  void begin(std::map<std::string, std::string> settings = {}) {
    settings.insert({"console.recordings_folder", folder()});
    start(std::move(settings));
  }
  std::string folder() const { return folder_.file("recordings"); }

  std::vector<msg::Recording> list(msg::ListRecordings request = {.viewer = member}) {
    const auto listed = caller_.call(request, {.deadline = wait_timeout});
    return listed ? listed->recordings : std::vector<msg::Recording>{};
  }
  /// Waits until so many are sealed, and no other is being recorded.
  std::vector<msg::Recording> sealed(std::size_t count) {
    std::vector<msg::Recording> found;
    EXPECT_TRUE(eventually([&] {
      found = list();
      return found.size() == count && std::ranges::all_of(found, [](const auto& one) {
               return one.state == RecordingState::sealed;
             });
    }));
    return found;
  }
  /// What the file prints.
  std::string printed(const msg::Recording& recording) {
    std::string file;
    msg::ReadRecording request{.recording_id = recording.recording_id, .viewer = member};
    while (true) {
      const auto part = caller_.call(request, {.deadline = wait_timeout});
      if (!part || part->bytes.empty()) break;
      file += part->bytes;
      request.offset += part->bytes.size();
    }
    EXPECT_EQ(file.size(), recording.size_bytes);
    std::istringstream lines(file);
    std::string line;
    std::string all;
    std::getline(lines, line);
    EXPECT_TRUE(console::parse_header(line)) << line;
    while (std::getline(lines, line)) {
      const auto event = nlohmann::json::parse(line);
      if (event[1] == "o") all += event[2].get<std::string>();
    }
    return all;
  }
  ErrorCode refused(const auto& request) {
    const auto reply = caller_.call(request, {.deadline = wait_timeout});
    return reply ? ErrorCode::unknown : reply.error().code;
  }
};

TEST_F(Recordings, HoldWhatTheConsolePrintsWhileSomebodyWatches) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  begin();
  {
    const auto viewer = attach(issue());
    EXPECT_NE(viewer->read_text_to(R"("type":"recording"})").find(R"("is_recorded":true)"),
              std::string::npos);
    EXPECT_EQ(viewer->read_to("login: "), "login: ");
    viewer->write("root\r\n");
    EXPECT_EQ(viewer->read_to("root\r\n"), "root\r\n");
  }
  const auto found = sealed(1);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].project_id.value, "lab");
  EXPECT_EQ(found[0].cluster_id.value, "vc");
  EXPECT_EQ(found[0].node_id.value, "n1");
  EXPECT_EQ(found[0].begin_offset, 0U);
  EXPECT_EQ(found[0].end_offset, 13U);
  EXPECT_EQ(found[0].lost_bytes, 0U);
  EXPECT_FALSE(found[0].is_end_inferred);
  EXPECT_EQ(printed(found[0]), "login: root\r\n");
  EXPECT_FALSE(fs::exists(folder() + "/" + found[0].recording_id + ".part"));
}

TEST_F(Recordings, ContinueWhereTheLastOneEnded) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  begin();
  for (const char* typed : {"one ", "two "}) {
    const auto viewer = attach(issue());
    const std::string before = std::string(typed) == "two " ? "login: one " : "login: ";
    EXPECT_EQ(viewer->read_to(before), before);
    viewer->write(typed);
    EXPECT_EQ(viewer->read_to(typed), typed);
  }
  const auto found = sealed(2);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].end_offset, found[1].begin_offset);
  EXPECT_EQ(printed(found[0]) + printed(found[1]), "login: one two ");
}

TEST_F(Recordings, FollowThePolicyOfTheProject) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  credentials_.record_consoles = false;
  begin();
  const auto viewer = attach(issue());
  EXPECT_EQ(viewer->read_to("login: "), "login: ");
  const auto change = [&](bool record_consoles) {
    {
      const std::scoped_lock lock(credentials_.mutex);
      credentials_.record_consoles = record_consoles;
    }
    ASSERT_TRUE(registry_.emit(msg::ProjectDefined{{"lab"}, record_consoles}));
    const std::string told = record_consoles ? "true" : "false";
    viewer->read_text_to("\"is_recorded\":" + told + ",\"type\":\"recording\"}");
  };
  change(true);
  viewer->write("seen ");
  EXPECT_EQ(viewer->read_to("seen "), "seen ");
  change(false);
  viewer->write("unseen ");
  EXPECT_EQ(viewer->read_to("unseen "), "unseen ");
  const auto found = sealed(1);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(printed(found[0]), "seen ");
}

TEST_F(Recordings, OfACrashAreSealedAtTheNextStart) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  begin();
  std::string id;
  {
    const auto viewer = attach(issue());
    EXPECT_EQ(viewer->read_to("login: "), "login: ");
    viewer->write("x");
    EXPECT_EQ(viewer->read_to("x"), "x");
    // What a killed process leaves: the file as it is now, and the record of its begin.
    ASSERT_TRUE(eventually([&] { return list().size() == 1; }));
    id = list()[0].recording_id;
    const auto part = folder() + "/" + id + ".part";
    const auto has_output = [&part] {
      std::ifstream file(part);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      return text.find("login: ") != std::string::npos;
    };
    ASSERT_TRUE(eventually(has_output));
    fs::copy_file(part, folder_.file("kept"));
  }
  ASSERT_EQ(sealed(1).size(), 1U);
  kill_service();
  fs::remove(folder() + "/" + id + ".cast");
  fs::copy_file(folder_.file("kept"), folder() + "/" + id + ".part");
  std::ofstream(folder() + "/" + id + ".part", std::ios::app) << "[9.0, \"o\", \"to";
  begin();
  ASSERT_TRUE(eventually([&] {
    const auto found = list();
    return found.size() == 1 && found[0].is_end_inferred;
  }));
  const auto found = list();
  EXPECT_EQ(found[0].state, RecordingState::sealed);
  EXPECT_EQ(found[0].recording_id, id);
  EXPECT_TRUE(printed(found[0]).starts_with("login: "));
  // The next one begins where it ended.
  {
    const auto viewer = attach(issue());
    EXPECT_EQ(viewer->read_to("x"), "login: x");
    viewer->write("y");
    EXPECT_EQ(viewer->read_to("y"), "y");
  }
  const auto both = sealed(2);
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].end_offset, both[1].begin_offset);
}

TEST_F(Recordings, AreListedWhetherOrNotTheirRecordOrFileIsThere) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  begin();
  { const auto viewer = open(issue(), "login: "); }
  const auto found = sealed(1);
  ASSERT_EQ(found.size(), 1U);
  const auto file = folder() + "/" + found[0].recording_id + ".cast";
  kill_service();
  fs::rename(file, folder_.file("kept"));
  begin();
  ASSERT_TRUE(
      eventually([&] { return list().size() == 1 && list()[0].state == RecordingState::missing; }));
  EXPECT_EQ(refused(msg::ReadRecording{found[0].recording_id, member}), ErrorCode::wrong_state);
  kill_service();
  fs::rename(folder_.file("kept"), file);
  begin();
  const auto back = sealed(1);
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(printed(back[0]), "login: ");
}

TEST_F(Recordings, AreOnlyForThoseWhoSeeTheProject) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  begin();
  { const auto viewer = open(issue(), "login: "); }
  const auto found = sealed(1);
  ASSERT_EQ(found.size(), 1U);
  const auto& id = found[0].recording_id;
  const msg::Viewer stranger{.projects = {{"other"}}};
  EXPECT_TRUE(list({.viewer = stranger}).empty());
  EXPECT_EQ(refused(msg::ListRecordings{.viewer = stranger, .recording_id = id}),
            ErrorCode::not_found);
  EXPECT_EQ(refused(msg::ReadRecording{id, stranger}), ErrorCode::not_found);
  EXPECT_EQ(refused(msg::RemoveRecording{id, stranger}), ErrorCode::not_found);
  for (const char* other : {"", "../", "x/y", "unknown"})
    EXPECT_EQ(refused(msg::ReadRecording{other, member}), ErrorCode::not_found) << other;
  EXPECT_EQ(list({.viewer = {.is_operator = true}}).size(), 1U);
  EXPECT_EQ(list({.viewer = member, .cluster_id = {"vc"}, .node_name = "n1"}).size(), 1U);
  EXPECT_TRUE(list({.viewer = member, .cluster_id = {"another"}}).empty());
  EXPECT_TRUE(list({.viewer = member, .node_name = "another"}).empty());
}

TEST_F(Recordings, AreRemovedByRequestOnceTheyAreSealed) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  begin();
  std::string id;
  {
    const auto viewer = open(issue(), "login: ");
    ASSERT_TRUE(eventually([&] { return list().size() == 1; }));
    id = list()[0].recording_id;
    EXPECT_EQ(refused(msg::RemoveRecording{id, member}), ErrorCode::wrong_state);
  }
  ASSERT_EQ(sealed(1).size(), 1U);
  ASSERT_TRUE(caller_.call(msg::RemoveRecording{id, member}, {.deadline = wait_timeout}));
  EXPECT_TRUE(list().empty());
  EXPECT_FALSE(fs::exists(folder() + "/" + id + ".cast"));
  EXPECT_EQ(refused(msg::RemoveRecording{id, member}), ErrorCode::not_found);
}

TEST_F(Recordings, AreNotMadeWithoutAFolder) {
  ConsoleSocket qemu(socket_of("n1"), "login: ");
  start();
  { const auto viewer = open(issue(), "login: "); }
  EXPECT_TRUE(list().empty());
}

}  // namespace
}  // namespace nucleus::tests
