#include "gateway/memory.hpp"

#include <algorithm>
#include <optional>

#include "gateway/topic.hpp"
#include "messages/image_store.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::gateway {

namespace {

constexpr std::int64_t hearing_ms_max = 1'500;  // three polls of the stream
constexpr std::int64_t belief_ms = 5'000;       // then the registry is asked again
constexpr std::size_t believed_max = 10'000;
constexpr std::size_t heads_max = 20'000;
constexpr std::size_t answer_overhead_bytes = 512;  // of the tables that it stands in

std::size_t bytes_of(const ReadyAnswer& ready) {
  return ready.bytes() + answer_overhead_bytes;
}

/// Of no cluster, and nothing that an answer tells: what comes of them has events of its own.
bool is_apart(const std::string& type) {
  return type == msg::CredentialsChanged::topic || type == msg::HostChanged::topic ||
         type == msg::VolumePlaced::topic;
}

}  // namespace

bool is_touched(const Reach& reach, const core::StoredEvent& event) {
  const auto parts = parts_of(event.topic);
  if (parts.cluster == "_") return !is_apart(parts.type);
  if (!reach.cluster.empty()) return reach.cluster == parts.cluster;
  return reach.is_everything || parts.project == "_" ||
         std::ranges::find(reach.projects, msg::ProjectId{parts.project}) != reach.projects.end();
}

void Memory::begin(std::uint64_t heard) {
  const std::scoped_lock lock{mutex_};
  while (!by_use_.empty()) drop(AnswerPtr(by_use_.front()));
  for (auto& [secret, believed] : believed_) believed->is_ended = true;
  believed_.clear();
  heads_.clear();
  ++ended_;
  heard_ = heard;
  told_ = std::max(told_, heard);
  sure_ms_ = 0;
}

void Memory::apply(const core::StoredEvent& event) {
  const std::scoped_lock lock{mutex_};
  heard_ = std::max(heard_, event.sequence);
  if (event.topic.ends_with(msg::CredentialsChanged::topic)) end_credentials(event);
  drop_touched(event);
}

void Memory::drop_touched(const core::StoredEvent& event) {
  const auto parts = parts_of(event.topic);
  if (parts.cluster == "_") {
    if (!is_apart(parts.type))
      while (!by_use_.empty()) drop(AnswerPtr(by_use_.front()));
    return;
  }
  std::vector<AnswerPtr> touched;
  for (const std::string& place : {parts.cluster, std::string()})
    if (const auto there = by_cluster_.find(place); there != by_cluster_.end())
      std::ranges::copy_if(
          there->second, std::back_inserter(touched),
          [&](const AnswerPtr& answer) { return is_touched(answer->reach, event); });
  for (const auto& answer : touched) drop(answer);
}

void Memory::end_credentials(const core::StoredEvent& event) {
  ++ended_;
  std::optional<msg::PersonId> person;
  try {
    person = msg::decode<msg::CredentialsChanged>(event.body).person_id;
  } catch (const msg::DecodeError&) {
    person.reset();  // whose it is cannot be read: everybody's
  }
  std::erase_if(believed_, [&](const auto& entry) {
    auto& believed = *entry.second;
    believed.is_ended = !person || believed.who.person_id == *person;
    return believed.is_ended;
  });
}

void Memory::tell(std::uint64_t sequence) {
  const std::scoped_lock lock{mutex_};
  told_ = std::max(told_, sequence);
}

void Memory::show_hearing(std::int64_t sure_ms) {
  const std::scoped_lock lock{mutex_};
  sure_ms_ = sure_ms;
}

bool Memory::is_sure(std::int64_t now_ms) const {
  return sure_ms_ > 0 && now_ms - sure_ms_ <= hearing_ms_max;
}

bool Memory::is_hearing(std::int64_t now_ms) const {
  const std::scoped_lock lock{mutex_};
  return is_sure(now_ms);
}

std::uint64_t Memory::told() const {
  const std::scoped_lock lock{mutex_};
  return told_;
}

BelievedPtr Memory::find_believed(const Digest& secret, std::int64_t now_ms) const {
  const std::scoped_lock lock{mutex_};
  if (!is_current(now_ms)) return {};
  const auto found = believed_.find(secret);
  if (found == believed_.end() || found->second->until_ms <= now_ms) return {};
  return found->second;
}

std::uint64_t Memory::credentials_ended() const {
  const std::scoped_lock lock{mutex_};
  return ended_;
}

BelievedPtr Memory::believe(const Digest& secret, msg::Principal who, std::int64_t now_ms,
                            std::int64_t left_ms, std::uint64_t ended_before) {
  const std::scoped_lock lock{mutex_};
  if (ended_ != ended_before || left_ms <= 0 || bytes_max_ == 0) return {};
  if (believed_.size() >= believed_max) believed_.clear();  // each is soon asked for again
  auto believed = std::make_shared<Believed>(
      Believed{.who = std::move(who), .until_ms = now_ms + std::min(left_ms, belief_ms)});
  believed_[secret] = believed;
  return believed;
}

Memory::AnswerPtr Memory::find(const Digest& key, std::uint64_t after, std::int64_t now_ms) {
  const std::scoped_lock lock{mutex_};
  if (!is_current(now_ms) || after > heard_) return {};
  const auto found = answers_.find(key);
  if (found == answers_.end()) return {};
  touch(found->second);
  return found->second;
}

void Memory::touch(const AnswerPtr& answer) {
  by_use_.splice(by_use_.begin(), by_use_, answer->place);
}

Memory::AnswerPtr Memory::keep(const Digest& key, Reach reach, ReadyAnswerPtr ready,
                               prometheus::Counter& requests) {
  const std::scoped_lock lock{mutex_};
  const std::size_t bytes = bytes_of(*ready);
  if (bytes > bytes_max_ / 2) return {};
  if (const auto known = answers_.find(key); known != answers_.end())
    drop(AnswerPtr(known->second));
  while (bytes_ + bytes > bytes_max_) drop(AnswerPtr(by_use_.back()));
  auto answer = std::make_shared<Answer>(Answer{
      .key = key, .reach = std::move(reach), .ready = std::move(ready), .requests = &requests});
  by_use_.push_front(answer);
  answer->place = by_use_.begin();
  by_cluster_[answer->reach.cluster].insert(answer);
  answers_[key] = answer;
  bytes_ += bytes;
  metrics_.show_memory(bytes_);
  return answer;
}

void Memory::drop(const AnswerPtr& answer) {
  answer->is_kept = false;
  bytes_ -= bytes_of(*answer->ready);
  const auto there = by_cluster_.find(answer->reach.cluster);
  there->second.erase(answer);
  if (there->second.empty()) by_cluster_.erase(there);
  answers_.erase(answer->key);
  by_use_.erase(answer->place);
  metrics_.show_memory(bytes_);
}

void Memory::bind(const Digest& head, BelievedPtr believed, const AnswerPtr& answer,
                  std::uint64_t after) {
  const std::scoped_lock lock{mutex_};
  if (after > heard_) return;
  if (heads_.size() >= heads_max) heads_.clear();  // each is soon bound again
  heads_[head] = {.believed = std::move(believed), .answer = answer};
}

ReadyAnswerPtr Memory::recall(const Digest& head, std::int64_t now_ms) {
  const std::scoped_lock lock{mutex_};
  if (!is_current(now_ms)) return {};
  const auto found = heads_.find(head);
  if (found == heads_.end()) return {};
  const auto& believed = *found->second.believed;
  const auto answer = found->second.answer.lock();
  if (!answer || !answer->is_kept || believed.is_ended || believed.until_ms <= now_ms) {
    heads_.erase(found);
    return {};
  }
  touch(answer);
  metrics_.count_recalled(*answer->requests);
  return answer->ready;
}

}  // namespace nucleus::gateway
