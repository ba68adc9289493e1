#include "tests/support/sim/world.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nucleus::tests {

using core::ErrorCode;

void SimWorld::schedule(std::int64_t delay_ms, std::weak_ptr<void> alive,
                        std::function<void()> task) {
  tasks_[{now_ms_ + delay_ms, ++task_count_}] = {std::move(alive), std::move(task)};
}

bool SimWorld::step() {
  if (tasks_.empty()) return false;
  auto first = tasks_.extract(tasks_.begin());
  now_ms_ = std::max(now_ms_, first.key().first);
  if (!first.mapped().alive.expired()) first.mapped().run();
  return true;
}

void SimWorld::run_for(core::Milliseconds time) {
  const std::int64_t end_ms = now_ms_ + time.count();
  while (!tasks_.empty() && tasks_.begin()->first.first <= end_ms) step();
  now_ms_ = end_ms;
}

bool SimWorld::run_until(const std::function<bool()>& is_so, core::Milliseconds time) {
  const std::int64_t end_ms = now_ms_ + time.count();
  while (!is_so()) {
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
  if (world.happens(world.faults.message_lost)) return;
  carry(frames);
  if (world.happens(world.faults.message_repeated)) carry(frames);
}

void SimLink::carry(const core::Frames& frames) {
  auto& links = loop_.world().links_;
  if (frames.envelope.kind == msg::MessageKind::event) {
    for (auto& [name, link] : links)
      if (link->wants(frames.topic)) deliver(*link, frames);
    return;
  }
  if (auto to = links.find(frames.envelope.to); to != links.end())
    return deliver(*to->second, frames);
  if (frames.envelope.kind != msg::MessageKind::request) return;
  core::Frames refused{.topic = frames.topic};
  refused.envelope = {.kind = msg::MessageKind::reply,
                      .request_id = frames.envelope.request_id,
                      .trace_id = frames.envelope.trace_id,
                      .sender = "bus",
                      .to = name_,
                      .error = msg::Error{.code = ErrorCode::unavailable,
                                          .detail = msg::shown(frames.envelope.to) + " is away"}};
  deliver(*this, refused);
}

void SimLink::deliver(SimLink& to, const core::Frames& frames) {
  auto& world = loop_.world();
  world.schedule(static_cast<std::int64_t>(world.pick(world.faults.message_ms_max)),
                 to.loop_.alive(), [&to, frames] {
                   if (to.receive_) to.receive_(frames);
                 });
}

bool SimLink::wants(const std::string& topic) const {
  for (const auto& prefix : prefixes_)
    if (topic.starts_with(prefix)) return true;
  return false;
}

void SimJournal::load(std::function<void(core::Result<core::Snapshot>)> done) {
  auto& world = loop_.world();
  world.schedule(answer_delay_ms(), loop_.alive(), [this, &world, done = std::move(done)] {
    auto& owned = world.owned_[service_name_];
    epoch_ = ++owned.epoch;
    is_broken_ = false;
    core::Snapshot snapshot = owned.snapshot;
    snapshot.last_sequence = world.events_.size();
    done(std::move(snapshot));
  });
}

void SimJournal::commit(core::Commit commit,
                        std::function<void(core::Result<std::uint64_t>)> done) {
  // It lands at one moment and is answered at a later one: a process may end before or in between.
  auto& world = loop_.world();
  const std::int64_t lands_ms = answer_delay_ms();
  const std::int64_t answer_ms = answer_delay_ms();
  auto outcome = std::make_shared<core::Result<std::uint64_t>>();
  world.schedule(lands_ms, loop_.alive(), [this, outcome, commit = std::move(commit)]() mutable {
    *outcome = land(std::move(commit));
  });
  world.schedule(answer_ms, loop_.alive(), [outcome, done = std::move(done)] { done(*outcome); });
}

core::Result<std::uint64_t> SimJournal::land(core::Commit commit) {
  auto& world = loop_.world();
  const auto lost = [this](const char* why) {
    is_broken_ = true;
    return core::refuse(ErrorCode::unknown_outcome, why);
  };
  if (is_broken_) return lost("not loaded");
  if (world.happens(world.faults.commit_lost)) return lost("the link broke before it landed");
  auto& owned = world.owned_[service_name_];
  if (owned.epoch != epoch_) {
    is_broken_ = true;
    return core::refuse(ErrorCode::conflict, "FENCED by another owner");
  }
  auto& records = owned.snapshot.records;
  for (const auto& change : commit.records) {
    const auto there = records.find(change.key);
    if ((there == records.end() ? 0 : there->second.revision) != change.revision_read)
      return lost("REVISION moved");
  }
  for (auto& change : commit.records) {
    if (change.bytes)
      records[change.key] = {change.revision_read + 1, std::move(*change.bytes)};
    else
      records.erase(change.key);
  }
  for (auto& event : commit.events) {
    event.sequence = world.events_.size() + 1;
    world.events_.push_back(std::move(event));
  }
  owned.snapshot.cursor = commit.cursor;
  if (!commit.request_id.empty())
    owned.snapshot.replies.emplace_back(commit.request_id, commit.reply);
  const std::uint64_t last = world.events_.size();
  if (world.happens(world.faults.answer_lost)) return lost("the link broke after it landed");
  return last;
}

void SimJournal::read_events(
    std::uint64_t sequence, std::size_t count,
    std::function<void(core::Result<std::vector<core::StoredEvent>>)> done) {
  auto& world = loop_.world();
  world.schedule(
      answer_delay_ms(), loop_.alive(), [&world, sequence, count, done = std::move(done)] {
        std::vector<core::StoredEvent> read;
        for (std::uint64_t i = sequence; i < world.events_.size() && read.size() < count; ++i)
          read.push_back(world.events_[i]);
        done(std::move(read));
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
