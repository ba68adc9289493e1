// The scheduler's part in saves of disks, with a host and an image store that stand in: each step
// is asked for until it is done, also after a restart.
#include <atomic>

#include "messages/layers.hpp"
#include "tests/service/scheduler_room.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using msg::DiskWorkKind;
using msg::PowerAction;

/// What the host and the image store are asked for.
struct Asked {
  std::atomic<int> seals{0};
  std::atomic<int> tickets{0};
  std::atomic<int> sends{0};
  std::atomic<int> works{0};
  std::atomic<bool> is_away{false};  // the image store refuses for now
  std::mutex mutex = {};
  std::string work_id = {};
  bool is_automatic = false;
  std::string content_id = {};     // sent to the host
  std::int64_t sealed_unix_s = 0;  // while the node runs; sent to the image store
};

class SavingHost {
 public:
  SavingHost(Asked& asked, core::Runtime& runtime) : asked_{asked} {
    runtime.bus.serve<msg::ApplyGrants>(*this, &SavingHost::apply);
    runtime.bus.serve<msg::SealDisk>(*this, &SavingHost::seal);
    runtime.bus.serve<msg::SendLayer>(*this, &SavingHost::send);
  }

 private:
  core::Result<msg::Done> apply(const msg::ApplyGrants&, core::Context&) { return msg::Done{}; }
  core::Result<msg::SealedDisk> seal(const msg::SealDisk&, core::Context&) {
    const bool is_sealed = ++asked_.seals > 1;  // the first time, it is being read
    return msg::SealedDisk{
        .is_sealed = is_sealed, .size_bytes = 4096, .sha256 = "abc", .sealed_unix_s = 1234};
  }
  core::Result<msg::LayerSent> send(const msg::SendLayer& request, core::Context&) {
    const std::scoped_lock lock(asked_.mutex);
    if (!request.content_id.empty()) {
      asked_.content_id = request.content_id;
      return msg::LayerSent{.is_complete = true, .is_continued = true};
    }
    EXPECT_EQ(request.url, "https://store/1");
    return msg::LayerSent{.sent_bytes = 4096, .is_complete = ++asked_.sends > 1};
  }
  Asked& asked_;
};

class SavingStore {
 public:
  SavingStore(Asked& asked, core::Bus& bus) : asked_{asked} {
    bus.serve<msg::ReceiveLayer>(*this, &SavingStore::receive);
    bus.serve<msg::WorkOnDisk>(*this, &SavingStore::work);
  }

 private:
  core::Result<msg::UploadTicket> receive(const msg::ReceiveLayer& request, core::Context&) {
    const std::scoped_lock lock(asked_.mutex);
    asked_.work_id = request.work_id;
    asked_.is_automatic = request.is_automatic;
    asked_.sealed_unix_s = request.sealed_unix_s;
    ++asked_.tickets;
    EXPECT_EQ(request.size_bytes, 4096U);
    return msg::UploadTicket{.upload_id = "1", .url = "https://store/1", .ticket = "t"};
  }
  core::Result<msg::Done> work(const msg::WorkOnDisk& request, core::Context&) {
    const std::scoped_lock lock(asked_.mutex);
    ++asked_.works;
    if (asked_.is_away) return core::refuse(ErrorCode::unavailable, "away");
    asked_.work_id = request.work_id;
    asked_.is_automatic = request.is_automatic;
    return msg::Done{};
  }
  Asked& asked_;
};

class DiskSaves : public SchedulerRoom {
 protected:
  void run_once(bool keeps_volumes, bool is_saved = false) {
    run(keeps_volumes, is_saved);
    ASSERT_TRUE(power("c-0", PowerAction::poweroff));
    report_domain(msg::DomainState::shutoff);
  }
  void run(bool keeps_volumes, bool is_saved = false) {
    image_store_.process().on_loop([this] {
      store_ = std::make_unique<SavingStore>(asked_, image_store_.process().bus());
      return true;
    });
    start();
    define("c", 0);
    if (is_saved) save_at_power_off();
    const msg::ReportHost report{.host_id = {"h9"},
                                 .process = "provisioner/h9",
                                 .boot_id = "boot",
                                 .cpus = 8,
                                 .memory_mb = 8192,
                                 .revision = 1,
                                 .keeps_volumes = keeps_volumes};
    ASSERT_TRUE(host_.process().call(report, {.deadline = wait_timeout}));
    place({});
    ASSERT_TRUE(eventually([&] { return disk() && disk()->disk_bytes > 0; }));
    ASSERT_TRUE(power("c-0", PowerAction::poweron));
    report_domain(msg::DomainState::running);
  }
  void save_at_power_off() {
    ASSERT_TRUE(registry_.emit(msg::NodeDefined{{.node_id = {"c-0"},
                                                 .cluster_id = {"c"},
                                                 .project_id = {"p"},
                                                 .name = "c-0",
                                                 .kind = msg::NodeKind::frontend,
                                                 .cpus = 1,
                                                 .memory_mb = 512,
                                                 .revision = 2,
                                                 .save_at_power_off = true}}));
    ASSERT_TRUE(eventually([&] { return disk() && disk()->save_at_power_off; }));
  }
  void place(msg::DiskContent content, std::vector<msg::BaseFile> layers = {}) {
    ASSERT_TRUE(image_store_.emit(msg::VolumePlaced{.volume = {.node_id = {"c-0"},
                                                               .path = "/n",
                                                               .disk_bytes = 1 << 30,
                                                               .layers = std::move(layers)},
                                                    .is_ready = true,
                                                    .disk = std::move(content)}));
  }
  void report_domain(msg::DomainState state) {
    const msg::ReportDomains report{
        .process = "provisioner/h9",
        .log_id = "log",
        .first_number = ++reported_,
        .changes = {{.host_id = {"h9"}, .node_id = {"c-0"}, .epoch = 1, .state = state}}};
    ASSERT_TRUE(host_.process().call(report, {.deadline = wait_timeout}));
  }
  std::optional<msg::NodeDisk> disk() {
    const auto found = ask(msg::GetDisk{.node = {.node_id = {"c-0"}}, .viewer = as_operator});
    return found ? std::optional{*found} : std::nullopt;
  }
  core::Result<msg::NodeDisk> save(const std::string& request_id = {}) {
    return ask(msg::ChangeDisk{.node = {.node_id = {"c-0"}},
                               .viewer = as_operator,
                               .kind = DiskWorkKind::save,
                               .name = "clean"},
               request_id);
  }
  std::string asked_work() {
    const std::scoped_lock lock(asked_.mutex);
    return asked_.work_id;
  }
  bool has_ended() {
    return eventually([&] { return disk() && !msg::is_under_way(disk()->work); });
  }

  Asked asked_ = {};
  std::uint64_t reported_ = 0;
  StandIn host_{deployment_, "provisioner/h9",
                [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                  return std::make_shared<SavingHost>(asked_, runtime);
                }};
  std::unique_ptr<SavingStore> store_ = {};
};

TEST_F(DiskSaves, OfAHostGoThroughEachStepAlsoAfterARestart) {
  run_once(true);
  const auto begun = save("r1");
  ASSERT_TRUE(begun) << begun.error().detail;
  EXPECT_EQ(begun->host_id.value, "h9");
  const auto again = save("r1");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->work.work_id, begun->work.work_id) << "a repeated request has one effect";
  ASSERT_TRUE(eventually([&] { return asked_.sends > 1; }));
  EXPECT_EQ(asked_work(), begun->work.work_id);
  restart();
  ASSERT_TRUE(eventually([&] { return asked_.tickets > 1; })) << "asked for again";
  ASSERT_TRUE(power("c-0", PowerAction::poweron));
  EXPECT_EQ(state_of("c").reason, "its disk is being saved");
  place({.generation = 1,
         .generations = {{.number = 1, .name = "clean"}},
         .ended_work_id = begun->work.work_id},
        {{.kind = msg::BaseFileKind::layer, .content_id = "f1"}});
  ASSERT_TRUE(has_ended());
  EXPECT_EQ(disk()->work.reason, "");
  EXPECT_EQ(disk()->generation, 1U);
  const std::scoped_lock lock(asked_.mutex);
  EXPECT_EQ(asked_.content_id, "f1");
  EXPECT_TRUE(eventually([&] { return state_of("c").host_id.value == "h9"; }));
}

TEST_F(DiskSaves, OfAHostAreMadeWhileTheNodeRuns) {
  run(true);
  const auto begun = save();
  ASSERT_TRUE(begun) << begun.error().detail;
  ASSERT_TRUE(eventually([&] { return asked_.sends > 1; }));
  EXPECT_EQ(state_of("c").state, msg::NodeState::active);
  restart();
  ASSERT_TRUE(eventually([&] { return asked_.tickets > 1; })) << "asked for again";
  place({.generation = 1,
         .generations = {{.number = 1, .name = "clean"}},
         .ended_work_id = begun->work.work_id},
        {{.kind = msg::BaseFileKind::layer, .content_id = "f1"}});
  ASSERT_TRUE(has_ended());
  EXPECT_EQ(disk()->work.reason, "");
  EXPECT_EQ(disk()->host_id.value, "h9") << "something was written since";
  EXPECT_TRUE(disk()->is_changed);
  const std::scoped_lock lock(asked_.mutex);
  EXPECT_EQ(asked_.content_id, "f1");
  EXPECT_EQ(asked_.sealed_unix_s, 1234);
}

TEST_F(DiskSaves, InTheImageStoreAreRefusedWhileTheNodeRuns) {
  run(false);
  EXPECT_EQ(save().error().detail, "node c-0 runs: its disk can be changed when it is off");
}

TEST_F(DiskSaves, InTheImageStoreAreAskedForUntilTheyAreAccepted) {
  asked_.is_away = true;
  run_once(false);
  const auto begun = save();
  ASSERT_TRUE(begun) << begun.error().detail;
  ASSERT_TRUE(eventually([&] { return asked_.works > 1; }));
  EXPECT_TRUE(msg::is_under_way(disk()->work));
  asked_.is_away = false;
  ASSERT_TRUE(eventually([&] { return asked_work() == begun->work.work_id; }));
  place({.ended_work_id = begun->work.work_id, .reason = "the disk is full"});
  ASSERT_TRUE(has_ended());
  EXPECT_EQ(disk()->work.reason, "the disk is full");
}

TEST_F(DiskSaves, BeginByThemselvesWhenTheNodeHasGoneOff) {
  run_once(false, true);
  ASSERT_TRUE(eventually([&] { return !asked_work().empty(); }));
  const auto begun = disk();
  ASSERT_TRUE(begun);
  EXPECT_EQ(begun->work.work_id, asked_work());
  EXPECT_TRUE(begun->work.is_automatic);
  EXPECT_TRUE(begun->is_changed);
  place({.generation = 1,
         .generations = {{.number = 1, .is_automatic = true}},
         .ended_work_id = begun->work.work_id});
  ASSERT_TRUE(has_ended());
  EXPECT_EQ(disk()->work.reason, "");
}

TEST_F(DiskSaves, OfAHostBeginByThemselvesAlsoAfterARestart) {
  run_once(true, true);
  ASSERT_TRUE(eventually([&] { return asked_.tickets > 0; }));
  const auto work_id = asked_work();
  restart();
  ASSERT_TRUE(eventually([&] { return asked_.tickets > 1; }));
  EXPECT_EQ(asked_work(), work_id) << "the same work";
  const std::scoped_lock lock(asked_.mutex);
  EXPECT_TRUE(asked_.is_automatic);
}

}  // namespace
}  // namespace nucleus::tests
