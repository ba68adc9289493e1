#include "tests/support/sim/world.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nucleus::tests {

using core::ErrorCode;

constexpr std::int64_t redis_timeout_ms = 2000;

void SimWorld::schedule(std::int64_t delay_ms, std::weak_ptr<SimLife> life,
                        std::function<void()> task) {
  tasks_[{now_ms_ + delay_ms, ++task_count_}] = {std::move(life), std::move(task)};
}

void SimWorld::resume(const std::shared_ptr<SimLife>& life) {
  if (!life->is_stopped) return;
  life->is_stopped = false;
  for (auto& task : life->held) schedule(0, life, std::move(task));
  life->held.clear();
}

void SimWorld::cut_off(const std::string& process, bool is_cut) {
  if (is_cut)
    cut_off_.insert(process);
  else
    cut_off_.erase(process);
}

bool SimWorld::is_reply_kept(const std::string& service, const std::string& request_id) const {
  const auto owned = owned_.find(service);
  return owned != owned_.end() && owned->second.replied.contains(request_id);
}

bool SimWorld::step() {
  if (tasks_.empty()) return false;
  auto first = tasks_.extract(tasks_.begin());
  now_ms_ = std::max(now_ms_, first.key().first);
  if (const auto life = first.mapped().life.lock()) {
    if (life->is_stopped) {
      life->held.push_back(std::move(first.mapped().run));
    } else {
      ++step_count_;
      first.mapped().run();
      if (on_stepped) on_stepped();
    }
  }
  return true;
}

void SimWorld::run_for(core::Milliseconds time) {
  const std::int64_t end_ms = now_ms_ + time.count();
  while (!tasks_.empty() && tasks_.begin()->first.first <= end_ms) step();
  now_ms_ = end_ms;
}

bool SimWorld::run_until(const std::function<bool()>& condition, core::Milliseconds time) {
  const std::int64_t end_ms = now_ms_ + time.count();
  while (!condition()) {
    if (tasks_.empty() || tasks_.begin()->first.first > end_ms) return false;
    step();
  }
  return true;
}

std::string SimLoop::new_id() {
  return fmt::format("{:016x}{:016x}", world_.pick(UINT64_MAX), world_.pick(UINT64_MAX));
}

SimLink::SimLink(SimLoop& loop, std::string name) : loop_{loop}, name_{std::move(name)} {
  loop_.world().links_[name_] = this;
}

SimLink::~SimLink() {
  auto& links = loop_.world().links_;
  if (auto own = links.find(name_); own != links.end() && own->second == this) links.erase(own);
}

void SimLink::send(core::Frames frames) {
  auto& world = loop_.world();
  if (world.on_sent) world.on_sent(name_, frames);
  if (world.is_cut_off(name_) || world.happens(world.faults.message_lost)) return;
  carry(frames);
  if (world.happens(world.faults.message_repeated)) carry(frames);
}

void SimLink::carry(const core::Frames& frames) {
  auto& links = loop_.world().links_;
  if (frames.envelope.kind == msg::MessageKind::event) {
    for (auto& [name, link] : links)
      if (link->wants(frames.topic) && !loop_.world().happens(loop_.world().faults.event_lost))
        deliver(*link, frames);
    return;
  }
  if (auto to = links.find(frames.envelope.to); to != links.end())
    return deliver(*to->second, frames);
  if (frames.envelope.kind != msg::MessageKind::request) return;
  core::Frames refused{.topic = frames.topic};
  refused.envelope = {
      .kind = msg::MessageKind::reply,
      .request_id = frames.envelope.request_id,
      .trace_id = frames.envelope.trace_id,
      .sender = "bus",
      .to = name_,
      .error = msg::Error{.code = ErrorCode::unavailable,
                          .detail = msg::shown(frames.envelope.to) + " is not connected"}};
  deliver(*this, refused);
}

void SimLink::deliver(SimLink& to, const core::Frames& frames) {
  auto& world = loop_.world();
  const unsigned delay_ms_max = world.happens(world.faults.message_late)
                                    ? world.faults.late_ms_max
                                    : world.faults.message_ms_max;
  world.schedule(static_cast<std::int64_t>(world.pick(delay_ms_max)), to.loop_.life(),
                 [&to, &world, frames] {
                   if (to.receive_ && !world.is_cut_off(to.name_)) to.receive_(frames);
                 });
}

bool SimLink::wants(const std::string& topic) const {
  for (const auto& prefix : prefixes_)
    if (topic.starts_with(prefix)) return true;
  return false;
}

bool SimJournal::can_reach() const {
  const auto& world = loop_.world();
  return place_ == Place::host || (!world.is_redis_away_ && !world.is_cut_off(service_name_));
}

template <class T>
bool SimJournal::fail_without_redis(ErrorCode code,
                                    const std::function<void(core::Result<T>)>& done) {
  auto& world = loop_.world();
  if (can_reach()) return false;
  is_broken_ = true;
  last_answer_ms_ = std::max(last_answer_ms_, world.now_ms() + redis_timeout_ms);
  world.schedule(last_answer_ms_ - world.now_ms(), loop_.life(),
                 [code, done] { done(core::refuse(code, "redis does not answer")); });
  return true;
}

void SimJournal::load(std::function<void(core::Result<core::Snapshot>)> done) {
  if (fail_without_redis(ErrorCode::unavailable, done)) return;
  auto& world = loop_.world();
  world.schedule(answer_delay_ms(), loop_.life(), [this, &world, done = std::move(done)] {
    auto& owned = world.owned_[service_name_];
    owned.is_on_host = place_ == Place::host;
    epoch_ = ++owned.epoch;
    is_broken_ = false;
    core::Snapshot snapshot = owned.snapshot;
    snapshot.archived.assign(owned.summaries.begin(), owned.summaries.end());
    snapshot.last_sequence = place_ == Place::host ? 0 : world.events_.size();
    done(std::move(snapshot));
  });
}

void SimJournal::commit(core::Commit commit,
                        std::function<void(core::Result<std::uint64_t>)> done) {
  // The commit takes effect at one time and is answered later: the process may end, or its
  // connection break, before or in between.
  if (fail_without_redis(ErrorCode::unknown_outcome, done)) return;
  auto& world = loop_.world();
  auto outcome = std::make_shared<core::Result<std::uint64_t>>();
  const std::int64_t lands_ms = answer_delay_ms();
  const std::int64_t answer_ms = answer_delay_ms();
  world.schedule(lands_ms, loop_.life(), [this, outcome, commit = std::move(commit)]() mutable {
    *outcome = land(std::move(commit));
  });
  world.schedule(answer_ms, loop_.life(), [this, outcome, done = std::move(done)] {
    if (*outcome && !can_reach()) {
      is_broken_ = true;
      *outcome = core::refuse(ErrorCode::unknown_outcome, "redis does not answer");
    }
    done(*outcome);
  });
}

core::Result<std::uint64_t> SimJournal::land(core::Commit commit) {
  auto& world = loop_.world();
  const auto lost = [this](const char* why) {
    is_broken_ = true;
    return core::refuse(ErrorCode::unknown_outcome, why);
  };
  if (is_broken_) return lost("not loaded");
  if (!can_reach()) return lost("redis does not answer");
  if (world.happens(world.faults.commit_lost))
    return lost("the connection broke before the commit");
  auto& owned = world.owned_[service_name_];
  if (owned.epoch != epoch_) {
    is_broken_ = true;
    return core::refuse(ErrorCode::conflict, "FENCED by another owner");
  }
  if (place_ == Place::host && !commit.events.empty()) return lost("a host emits no events");
  auto& records = owned.snapshot.records;
  const auto revision = [&records](const std::string& key) {
    const auto record = records.find(key);
    return record == records.end() ? 0 : record->second.revision;
  };
  for (const auto& change : commit.records)
    if (revision(change.key) != change.revision_read) return lost("REVISION moved");
  for (const auto& record : commit.archived)
    if (revision(record.key) != record.revision_read) return lost("REVISION moved");
  for (const auto& change : commit.records) {
    if (change.bytes)
      records[change.key] = {change.revision_read + 1, *change.bytes};
    else
      records.erase(change.key);
  }
  for (const auto& record : commit.archived) {
    records.erase(record.key);
    owned.archive[record.key] = record.bytes;
    owned.summaries[record.key] = record.summary;
  }
  const std::uint64_t first_sequence = world.events_.size() + 1;
  for (auto& event : commit.events) {
    event.sequence = world.events_.size() + 1;
    world.events_.push_back(event);
  }
  owned.snapshot.cursor = commit.cursor;
  if (world.on_landed) world.on_landed(service_name_, commit, first_sequence);
  if (!commit.request_id.empty()) {
    owned.snapshot.replies.emplace_back(commit.request_id, commit.reply);
    owned.replied.insert(commit.request_id);
  }
  const std::uint64_t last = place_ == Place::host ? 0 : world.events_.size();
  if (world.happens(world.faults.answer_lost)) return lost("the connection broke after the commit");
  return last;
}

void SimJournal::read_events(
    std::uint64_t sequence, std::size_t count,
    std::function<void(core::Result<std::vector<core::StoredEvent>>)> done) {
  if (fail_without_redis(ErrorCode::unknown_outcome, done)) return;
  auto& world = loop_.world();
  world.schedule(
      answer_delay_ms(), loop_.life(), [this, &world, sequence, count, done = std::move(done)] {
        std::vector<core::StoredEvent> read;
        if (place_ == Place::host) return done(std::move(read));
        for (std::uint64_t i = sequence; i < world.events_.size() && read.size() < count; ++i)
          read.push_back(world.events_[i]);
        done(std::move(read));
      });
}

void SimJournal::read_archived(std::vector<std::string> keys,
                               std::function<void(core::Result<std::vector<std::string>>)> done) {
  if (fail_without_redis(ErrorCode::unknown_outcome, done)) return;
  auto& world = loop_.world();
  world.schedule(answer_delay_ms(), loop_.life(),
                 [this, &world, keys = std::move(keys), done = std::move(done)] {
                   const auto& archive = world.owned_[service_name_].archive;
                   std::vector<std::string> bodies;
                   for (const auto& key : keys) {
                     const auto record = archive.find(key);
                     if (record == archive.end())
                       return done(core::refuse(ErrorCode::not_found,
                                                "no archived record " + msg::shown(key)));
                     bodies.push_back(record->second);
                   }
                   done(std::move(bodies));
                 });
}

std::int64_t SimJournal::answer_delay_ms() {
  auto& world = loop_.world();
  last_answer_ms_ =
      std::max(last_answer_ms_,
               world.now_ms() + static_cast<std::int64_t>(world.pick(world.faults.commit_ms_max)));
  return last_answer_ms_ - world.now_ms();
}

}  // namespace nucleus::tests
