// A deployment in one thread, from one seed: a virtual clock, loops, workers, links and journals
// that lose, delay and repeat as the real ones may. A process may be ended, stopped or cut off
// between any two steps.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/bus/link.hpp"
#include "core/loop/loop.hpp"
#include "core/state/journal.hpp"

namespace nucleus::tests {

/// How unkind the world is; all chances are per thousand.
struct SimFaults {
  unsigned message_lost = 0;
  unsigned message_repeated = 0;
  unsigned message_late = 0;  // and so after what was sent later
  unsigned commit_lost = 0;   // the link breaks before it lands: `unknown_outcome`
  unsigned answer_lost = 0;   // the link breaks after it landed: `unknown_outcome`
  unsigned message_ms_max = 2;
  unsigned late_ms_max = 30'000;
  unsigned commit_ms_max = 5;
  unsigned work_ms_max = 20;
};

class SimLink;

/// A process as the world sees it; its tasks end with it, and wait while it is stopped.
struct SimLife {
  bool is_stopped = false;
  std::deque<std::function<void()>> held = {};  // due meanwhile, in order
};

class SimWorld {
 public:
  explicit SimWorld(std::uint64_t seed) : random_{seed} {}
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  SimFaults faults = {};
  /// Called with each commit that landed, and the number of its first event.
  std::function<void(const std::string& service, const core::Commit&, std::uint64_t)> on_landed;
  /// Called with each message that a process sends, before it may be lost.
  std::function<void(const std::string& process, const core::Frames&)> on_sent;
  /// Called after each step: where processes may be ended and started.
  std::function<void()> on_stepped;

  std::int64_t now_ms() const { return now_ms_; }
  std::uint64_t steps() const { return step_count_; }
  /// A whole number from 0 to `most`.
  std::uint64_t pick(std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>{0, most}(random_);
  }
  bool happens(unsigned per_thousand) { return per_thousand > 0 && pick(999) < per_thousand; }

  /// Runs `task` after `delay`, unless the process has ended by then; a stopped one runs it later.
  void schedule(std::int64_t delay_ms, std::weak_ptr<SimLife> life, std::function<void()> task);
  void stop(const std::shared_ptr<SimLife>& life) { life->is_stopped = true; }
  void resume(const std::shared_ptr<SimLife>& life);
  /// Parts a process from every other and from Redis, or joins it again.
  void cut_off(const std::string& process, bool is_cut);
  bool is_cut_off(const std::string& process) const { return cut_off_.contains(process); }
  /// Redis answers nobody while it is away; what it holds stays.
  void take_redis_away(bool is_away) { is_redis_away_ = is_away; }
  /// Redis has lost all it held, as after a disk that failed.
  void empty_redis() {
    owned_.clear();
    events_.clear();
  }
  bool can_reach_redis(const std::string& process) const {
    return !is_redis_away_ && !is_cut_off(process);
  }
  /// Whether Redis holds a reply to this request of this service's.
  bool is_reply_kept(const std::string& service, const std::string& request_id) const;
  const std::vector<core::StoredEvent>& events() const { return events_; }

  /// Runs what is due next; false where nothing is.
  bool step();
  /// Lets this much time pass.
  void run_for(core::Milliseconds time);
  /// Steps until `is_so`, at most for `time`; whether it came to be.
  bool run_until(const std::function<bool()>& is_so, core::Milliseconds time);

 private:
  friend class SimLink;
  friend class SimJournal;
  struct Task {
    std::weak_ptr<SimLife> life;
    std::function<void()> run;
  };
  /// What Redis holds of one service.
  struct Owned {
    std::uint64_t epoch = 0;
    core::Snapshot snapshot = {};
    std::map<std::string, std::string> archive = {};  // key, bytes
    std::map<std::string, std::string> summaries = {};
    std::set<std::string> replied = {};  // the ids of the requests in it
  };

  std::mt19937_64 random_;
  std::int64_t now_ms_ = 0;
  std::uint64_t task_count_ = 0;
  std::uint64_t step_count_ = 0;
  std::map<std::pair<std::int64_t, std::uint64_t>, Task> tasks_ = {};  // by time, then order
  std::map<std::string, SimLink*> links_ = {};
  std::map<std::string, Owned> owned_ = {};
  std::vector<core::StoredEvent> events_ = {};  // dense from 1
  std::set<std::string> cut_off_ = {};
  bool is_redis_away_ = false;
};

class SimLoop : public core::Loop {
 public:
  explicit SimLoop(SimWorld& world) : world_{world} {}
  void post(std::function<void()> task) override { world_.schedule(0, life_, std::move(task)); }
  void after(core::Milliseconds delay, std::function<void()> task) override {
    world_.schedule(delay.count(), life_, std::move(task));
  }
  std::int64_t steady_ms() const override { return world_.now_ms(); }
  std::int64_t unix_ms() const override { return unix_epoch_ms + world_.now_ms(); }
  std::string new_id() override;

  static constexpr std::int64_t unix_epoch_ms = 1'700'000'000'000;
  SimWorld& world() { return world_; }
  const std::shared_ptr<SimLife>& life() const { return life_; }

 private:
  SimWorld& world_;
  std::shared_ptr<SimLife> life_ = std::make_shared<SimLife>();
};

/// Work takes effect at some moment within `work_ms_max`; a process that ends before loses it.
class SimWorkers : public core::Workers {
 public:
  explicit SimWorkers(SimLoop& loop) : loop_{loop} {}
  void submit(std::function<void()> work) override {
    auto& world = loop_.world();
    world.schedule(static_cast<std::int64_t>(world.pick(world.faults.work_ms_max)), loop_.life(),
                   std::move(work));
  }

 private:
  SimLoop& loop_;
};

class SimLink : public core::Link {
 public:
  /// Takes the name over from whoever had it, as the bus does.
  SimLink(SimLoop& loop, std::string name);
  ~SimLink() override;
  const std::string& name() const override { return name_; }
  void send(core::Frames frames) override;
  void on_receive(std::function<void(core::Frames)> receive) override {
    receive_ = std::move(receive);
  }
  void subscribe(const std::string& prefix) override { prefixes_.push_back(prefix); }

 private:
  void carry(const core::Frames& frames);
  void deliver(SimLink& to, const core::Frames& frames);
  bool wants(const std::string& topic) const;

  SimLoop& loop_;
  std::string name_;
  std::function<void(core::Frames)> receive_ = {};
  std::vector<std::string> prefixes_ = {};
};

class SimJournal : public core::Journal {
 public:
  SimJournal(SimLoop& loop, std::string service_name)
      : loop_{loop}, service_name_{std::move(service_name)} {}
  void load(std::function<void(core::Result<core::Snapshot>)> done) override;
  void commit(core::Commit commit, std::function<void(core::Result<std::uint64_t>)> done) override;
  void read_events(std::uint64_t sequence, std::size_t count,
                   std::function<void(core::Result<std::vector<core::StoredEvent>>)> done) override;
  void read_archived(std::vector<std::string> keys,
                     std::function<void(core::Result<std::vector<std::string>>)> done) override;

 private:
  core::Result<std::uint64_t> land(core::Commit commit);
  /// A time for the next answer, never before that of the one before it.
  std::int64_t answer_delay_ms();
  /// What was asked is answered so once the patience with Redis has ended.
  std::int64_t timeout_delay_ms();

  SimLoop& loop_;
  std::string service_name_;
  std::uint64_t epoch_ = 0;
  bool is_broken_ = true;  // until loaded again, as after a lost link
  std::int64_t last_answer_ms_ = 0;
};

}  // namespace nucleus::tests
