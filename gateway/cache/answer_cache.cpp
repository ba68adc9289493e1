#include "gateway/cache/answer_cache.hpp"

#include <algorithm>
#include <optional>

#include "gateway/events/topic.hpp"
#include "messages/image_store.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::gateway {

namespace {

constexpr std::int64_t silence_ms_max = 1'500;    // three polls of the event stream
constexpr std::int64_t token_age_ms_max = 5'000;  // then the registry is asked again
constexpr std::size_t tokens_max = 10'000;
constexpr std::size_t heads_max = 20'000;
constexpr std::size_t answer_overhead_bytes = 512;  // of its entries in the tables

std::size_t bytes_of(const core::http::PreparedResponse& ready) {
  return ready.bytes() + answer_overhead_bytes;
}

/// Events without a cluster that change no cached answer: their consequences have events of their
/// own.
bool changes_no_answer(const std::string& type) {
  return type == msg::CredentialsChanged::topic || type == msg::HostChanged::topic ||
         type == msg::VolumePlaced::topic;
}

}  // namespace

bool may_change(const Dependency& dependency, const core::StoredEvent& event) {
  const auto parts = parts_of(event.topic);
  if (parts.cluster == "_") return !changes_no_answer(parts.type);
  if (!dependency.cluster.empty()) return dependency.cluster == parts.cluster;
  return dependency.is_everything || parts.project == "_" ||
         std::ranges::find(dependency.projects, msg::ProjectId{parts.project}) !=
             dependency.projects.end();
}

void AnswerCache::begin(std::uint64_t applied) {
  const std::scoped_lock lock{mutex_};
  while (!by_use_.empty()) drop(AnswerPtr(by_use_.front()));
  for (auto& [secret, verified] : tokens_) verified->is_ended = true;
  tokens_.clear();
  heads_.clear();
  ++credential_changes_;
  applied_ = applied;
  newest_observed_ = std::max(newest_observed_, applied);
  complete_until_ms_ = 0;
}

void AnswerCache::apply(const core::StoredEvent& event) {
  const std::scoped_lock lock{mutex_};
  applied_ = std::max(applied_, event.sequence);
  if (event.topic.ends_with(msg::CredentialsChanged::topic)) end_credentials(event);
  drop_changed(event);
}

void AnswerCache::drop_changed(const core::StoredEvent& event) {
  const auto parts = parts_of(event.topic);
  if (parts.cluster == "_") {
    if (!changes_no_answer(parts.type))
      while (!by_use_.empty()) drop(AnswerPtr(by_use_.front()));
    return;
  }
  std::vector<AnswerPtr> changed;
  for (const std::string& cluster : {parts.cluster, std::string()})
    if (const auto there = by_cluster_.find(cluster); there != by_cluster_.end())
      std::ranges::copy_if(
          there->second, std::back_inserter(changed),
          [&](const AnswerPtr& answer) { return may_change(answer->dependency, event); });
  for (const auto& answer : changed) drop(answer);
}

void AnswerCache::end_credentials(const core::StoredEvent& event) {
  ++credential_changes_;
  std::optional<msg::PersonId> person;
  try {
    person = msg::decode<msg::CredentialsChanged>(event.body).person_id;
  } catch (const msg::DecodeError&) {
    person.reset();  // an unreadable event ends those of all people
  }
  std::erase_if(tokens_, [&](const auto& entry) {
    auto& verified = *entry.second;
    verified.is_ended = !person || verified.who.person_id == *person;
    return verified.is_ended;
  });
}

void AnswerCache::observe(std::uint64_t sequence) {
  const std::scoped_lock lock{mutex_};
  newest_observed_ = std::max(newest_observed_, sequence);
}

void AnswerCache::set_complete_until(std::int64_t complete_until_ms) {
  const std::scoped_lock lock{mutex_};
  complete_until_ms_ = complete_until_ms;
}

bool AnswerCache::is_complete(std::int64_t now_ms) const {
  return complete_until_ms_ > 0 && now_ms - complete_until_ms_ <= silence_ms_max;
}

bool AnswerCache::is_receiving(std::int64_t now_ms) const {
  const std::scoped_lock lock{mutex_};
  return is_complete(now_ms);
}

std::uint64_t AnswerCache::newest_observed() const {
  const std::scoped_lock lock{mutex_};
  return newest_observed_;
}

VerifiedTokenPtr AnswerCache::find_token(const core::Sha256& secret, std::int64_t now_ms) const {
  const std::scoped_lock lock{mutex_};
  if (!is_current(now_ms)) return {};
  const auto found = tokens_.find(secret);
  if (found == tokens_.end() || found->second->until_ms <= now_ms) return {};
  return found->second;
}

std::uint64_t AnswerCache::credential_changes() const {
  const std::scoped_lock lock{mutex_};
  return credential_changes_;
}

VerifiedTokenPtr AnswerCache::keep_token(const core::Sha256& secret, msg::Principal who,
                                         std::int64_t now_ms, std::int64_t left_ms,
                                         std::uint64_t changes_before) {
  const std::scoped_lock lock{mutex_};
  if (credential_changes_ != changes_before || left_ms <= 0 || bytes_max_ == 0) return {};
  if (tokens_.size() >= tokens_max) tokens_.clear();  // each is soon verified again
  auto verified = std::make_shared<VerifiedToken>(VerifiedToken{
      .who = std::move(who), .until_ms = now_ms + std::min(left_ms, token_age_ms_max)});
  tokens_[secret] = verified;
  return verified;
}

AnswerCache::AnswerPtr AnswerCache::find(const core::Sha256& key, std::uint64_t after,
                                         std::int64_t now_ms) {
  const std::scoped_lock lock{mutex_};
  if (!is_current(now_ms) || after > applied_) return {};
  const auto found = answers_.find(key);
  if (found == answers_.end()) return {};
  touch(found->second);
  return found->second;
}

void AnswerCache::touch(const AnswerPtr& answer) {
  by_use_.splice(by_use_.begin(), by_use_, answer->place);
}

AnswerCache::AnswerPtr AnswerCache::keep(const core::Sha256& key, Dependency dependency,
                                         core::http::PreparedResponsePtr ready,
                                         prometheus::Counter& requests) {
  const std::scoped_lock lock{mutex_};
  const std::size_t bytes = bytes_of(*ready);
  if (bytes > bytes_max_ / 2) return {};
  if (const auto known = answers_.find(key); known != answers_.end())
    drop(AnswerPtr(known->second));
  while (bytes_ + bytes > bytes_max_) drop(AnswerPtr(by_use_.back()));
  auto answer = std::make_shared<Answer>(Answer{.key = key,
                                                .dependency = std::move(dependency),
                                                .ready = std::move(ready),
                                                .requests = &requests});
  by_use_.push_front(answer);
  answer->place = by_use_.begin();
  by_cluster_[answer->dependency.cluster].insert(answer);
  answers_[key] = answer;
  bytes_ += bytes;
  metrics_.show_cache_bytes(bytes_);
  return answer;
}

void AnswerCache::drop(const AnswerPtr& answer) {
  answer->is_kept = false;
  bytes_ -= bytes_of(*answer->ready);
  const auto there = by_cluster_.find(answer->dependency.cluster);
  there->second.erase(answer);
  if (there->second.empty()) by_cluster_.erase(there);
  answers_.erase(answer->key);
  by_use_.erase(answer->place);
  metrics_.show_cache_bytes(bytes_);
}

void AnswerCache::bind(const core::Sha256& head, VerifiedTokenPtr verified, const AnswerPtr& answer,
                       std::uint64_t after) {
  const std::scoped_lock lock{mutex_};
  if (after > applied_) return;
  if (heads_.size() >= heads_max) heads_.clear();  // each is soon bound again
  heads_[head] = {.verified = std::move(verified), .answer = answer};
}

core::http::PreparedResponsePtr AnswerCache::find_by_head(const core::Sha256& head,
                                                          std::int64_t now_ms) {
  const std::scoped_lock lock{mutex_};
  if (!is_current(now_ms)) return {};
  const auto found = heads_.find(head);
  if (found == heads_.end()) return {};
  const auto& verified = *found->second.verified;
  const auto answer = found->second.answer.lock();
  if (!answer || !answer->is_kept || verified.is_ended || verified.until_ms <= now_ms) {
    heads_.erase(found);
    return {};
  }
  touch(answer);
  metrics_.count_head_hit(*answer->requests);
  return answer->ready;
}

}  // namespace nucleus::gateway
