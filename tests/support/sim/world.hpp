// Simulates a deployment in one thread from one seed: a virtual clock, loops, workers, links and
// journals that lose, delay and repeat like the real ones. A process can be killed, stopped or
// disconnected between any two steps.
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

/// Fault probabilities, per thousand, and maximum delays.
struct SimFaults {
  unsigned message_lost = 0;
  unsigned message_repeated = 0;
  unsigned message_late = 0;  // and so reordered
  unsigned event_lost = 0;    // to one subscriber
  unsigned commit_lost = 0;   // without effect: `unknown_outcome`
  unsigned answer_lost = 0;   // after taking effect: `unknown_outcome`
  unsigned message_ms_max = 2;
  unsigned late_ms_max = 30'000;
  unsigned commit_ms_max = 5;
  unsigned work_ms_max = 20;
};

class SimLink;

/// The life of a process: its tasks are dropped when it ends and held while it is stopped.
struct SimLife {
  bool is_stopped = false;
  std::deque<std::function<void()>> held = {};  // tasks due while stopped, in order
};

class SimWorld {
 public:
  explicit SimWorld(std::uint64_t seed) : random_{seed} {}
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  SimFaults faults = {};
  /// Called with each commit that took effect and the number of its first event.
  std::function<void(const std::string& service, const core::Commit&, std::uint64_t)> on_landed;
  /// Called with each message sent, including lost ones.
  std::function<void(const std::string& process, const core::Frames&)> on_sent;
  /// Called after each step; may end and start processes.
  std::function<void()> on_stepped;

  std::int64_t now_ms() const { return now_ms_; }
  std::uint64_t steps() const { return step_count_; }
  /// A random integer from 0 to `most`.
  std::uint64_t pick(std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>{0, most}(random_);
  }
  bool happens(unsigned per_thousand) { return per_thousand > 0 && pick(999) < per_thousand; }

  /// Runs `task` after `delay`; if the process is stopped then, when it resumes; not if it has
  /// ended.
  void schedule(std::int64_t delay_ms, std::weak_ptr<SimLife> life, std::function<void()> task);
  void stop(const std::shared_ptr<SimLife>& life) { life->is_stopped = true; }
  void resume(const std::shared_ptr<SimLife>& life);
  /// Disconnects a process from all others and from Redis, or reconnects it.
  void cut_off(const std::string& process, bool is_cut);
  bool is_cut_off(const std::string& process) const { return cut_off_.contains(process); }
  /// Makes Redis unreachable for all processes, or reachable again; its data is kept.
  void take_redis_away(bool is_away) { is_redis_away_ = is_away; }
  /// Deletes the data of Redis, as after a disk failure. Hosts keep theirs.
  void empty_redis() {
    std::erase_if(owned_, [](const auto& owned) { return !owned.second.is_on_host; });
    events_.clear();
  }
  /// True if the service stores a reply to this request.
  bool is_reply_kept(const std::string& service, const std::string& request_id) const;
  const std::vector<core::StoredEvent>& events() const { return events_; }

  /// Runs the next task; false if there is none.
  bool step();
  /// Advances the clock and runs what is due.
  void run_for(core::Milliseconds time);
  /// Steps until `condition`; false if that takes longer than `time`.
  bool run_until(const std::function<bool()>& condition, core::Milliseconds time);

 private:
  friend class SimLink;
  friend class SimJournal;
  struct Task {
    std::weak_ptr<SimLife> life;
    std::function<void()> run;
  };
  /// The data of one service, in Redis or on its host.
  struct Owned {
    bool is_on_host = false;
    std::uint64_t epoch = 0;
    core::Snapshot snapshot = {};
    std::map<std::string, std::string> archive = {};  // key, bytes
    std::map<std::string, std::string> summaries = {};
    std::set<std::string> replied = {};  // request ids of the stored replies
  };

  std::mt19937_64 random_;
  std::int64_t now_ms_ = 0;
  std::uint64_t task_count_ = 0;
  std::uint64_t step_count_ = 0;
  std::map<std::pair<std::int64_t, std::uint64_t>, Task> tasks_ = {};  // by time, then by number
  std::map<std::string, SimLink*> links_ = {};
  std::map<std::string, Owned> owned_ = {};
  std::vector<core::StoredEvent> events_ = {};  // numbered from 1 without gaps
  std::set<std::string> cut_off_ = {};
  bool is_redis_away_ = false;
};

class SimLoop : public core::Loop {
 public:
  /// `skew_ms`: by how much the machine's clock is ahead.
  explicit SimLoop(SimWorld& world, std::int64_t skew_ms = 0) : world_{world}, skew_ms_{skew_ms} {}
  void post(std::function<void()> task) override { world_.schedule(0, life_, std::move(task)); }
  void after(core::Milliseconds delay, std::function<void()> task) override {
    world_.schedule(delay.count(), life_, std::move(task));
  }
  std::int64_t steady_ms() const override { return world_.now_ms(); }
  std::int64_t unix_ms() const override { return unix_epoch_ms + world_.now_ms() + skew_ms_; }
  std::string new_id() override;

  static constexpr std::int64_t unix_epoch_ms = 1'700'000'000'000;
  SimWorld& world() { return world_; }
  const std::shared_ptr<SimLife>& life() const { return life_; }

 private:
  SimWorld& world_;
  const std::int64_t skew_ms_;
  std::shared_ptr<SimLife> life_ = std::make_shared<SimLife>();
};

/// Runs work after up to `work_ms_max`; work of a process that ends first is dropped.
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
  /// Takes over the name from its previous owner, as on the real bus.
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

/// As the journal in Redis, which may be unreachable; or as the one in a file of the host.
class SimJournal : public core::Journal {
 public:
  enum class Place : std::uint8_t { redis, host };

  SimJournal(SimLoop& loop, std::string service_name, Place place)
      : loop_{loop}, service_name_{std::move(service_name)}, place_{place} {}
  void load(std::function<void(core::Result<core::Snapshot>)> done) override;
  void commit(core::Commit commit, std::function<void(core::Result<std::uint64_t>)> done) override;
  void read_events(std::uint64_t sequence, std::size_t count,
                   std::function<void(core::Result<std::vector<core::StoredEvent>>)> done) override;
  void read_archived(std::vector<std::string> keys,
                     std::function<void(core::Result<std::vector<std::string>>)> done) override;

 private:
  bool can_reach() const;
  core::Result<std::uint64_t> land(core::Commit commit);
  /// The delay of the next answer; answers keep their order.
  std::int64_t answer_delay_ms();
  /// If Redis is unreachable: calls `done` with an error after a timeout, and returns true.
  template <class T>
  bool fail_without_redis(core::ErrorCode code, const std::function<void(core::Result<T>)>& done);

  SimLoop& loop_;
  std::string service_name_;
  const Place place_;
  std::uint64_t epoch_ = 0;
  bool is_broken_ = true;  // until the next load
  std::int64_t last_answer_ms_ = 0;
};

}  // namespace nucleus::tests
