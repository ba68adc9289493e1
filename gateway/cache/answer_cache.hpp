// Caches answers to GETs and verified tokens. Events invalidate both. An entry is used only while
// every event that may have changed it was applied. Nothing here is state of the service: a lost
// entry is requested again. Every function may be called from any thread.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/digest/digest.hpp"
#include "core/http/prepared_response.hpp"
#include "core/state/journal.hpp"
#include "gateway/metrics.hpp"
#include "messages/people.hpp"

namespace nucleus::gateway {

/// The events that may change an answer: those of one cluster, or of projects.
struct Dependency {
  std::string cluster = {};  // empty = events of `projects`
  std::vector<msg::ProjectId> projects = {};
  bool is_everything = false;  // events of all projects
};

/// True if the event may change an answer with this dependency. In doubt it is true.
bool may_change(const Dependency& dependency, const core::StoredEvent& event);

/// A token that the registry has verified.
struct VerifiedToken {
  msg::Principal who = {};
  std::int64_t until_ms = 0;  // steady
  bool is_ended = false;      // guarded by the cache's mutex
};
using VerifiedTokenPtr = std::shared_ptr<const VerifiedToken>;

class AnswerCache {
 public:
  struct Answer;
  using AnswerPtr = std::shared_ptr<Answer>;

  /// Answers take about `bytes_max` at most; 0 = nothing is cached.
  AnswerCache(std::size_t bytes_max, Metrics& metrics) : bytes_max_{bytes_max}, metrics_{metrics} {}

  /// Drops everything; events up to `applied` have taken effect.
  void begin(std::uint64_t applied);
  /// The next event: drops what it may change.
  void apply(const core::StoredEvent& event);
  /// An event of this number exists. Until it is applied, nothing is served from the cache.
  void observe(std::uint64_t sequence);
  /// Every event up to this moment (steady, ms) was received; 0 = events may be missing.
  void set_complete_until(std::int64_t complete_until_ms);
  /// True if events are received, though some may not have been applied yet.
  bool is_receiving(std::int64_t now_ms) const;
  std::uint64_t newest_observed() const;

  /// Null if this secret is not cached.
  VerifiedTokenPtr find_token(const core::Sha256& secret, std::int64_t now_ms) const;
  /// The number of events so far that ended credentials.
  std::uint64_t credential_changes() const;
  /// Caches a verified token for 5 s, or `left_ms` if that is less. `changes_before` is
  /// `credential_changes()` at the time of the check: null if a credential has ended since.
  VerifiedTokenPtr keep_token(const core::Sha256& secret, msg::Principal who, std::int64_t now_ms,
                              std::int64_t left_ms, std::uint64_t changes_before);

  /// Null if there is none, or events up to `after` were not applied.
  AnswerPtr find(const core::Sha256& key, std::uint64_t after, std::int64_t now_ms);
  /// Caches an answer that no event since its request may have changed; null if it is too large.
  /// `requests` counts the requests that it answers.
  AnswerPtr keep(const core::Sha256& key, Dependency dependency,
                 core::http::PreparedResponsePtr ready, prometheus::Counter& requests);
  /// Requests with this head get the answer as long as token and answer are valid. `after` is the
  /// event that the head asks to be applied.
  void bind(const core::Sha256& head, VerifiedTokenPtr verified, const AnswerPtr& answer,
            std::uint64_t after);
  /// Null if no valid answer is bound to this head.
  core::http::PreparedResponsePtr find_by_head(const core::Sha256& head, std::int64_t now_ms);

 private:
  struct Head {
    VerifiedTokenPtr verified;
    std::weak_ptr<Answer> answer;
  };
  bool is_complete(std::int64_t now_ms) const;
  bool is_current(std::int64_t now_ms) const {
    return newest_observed_ <= applied_ && is_complete(now_ms);
  }
  void touch(const AnswerPtr& answer);
  void drop(const AnswerPtr& answer);
  void drop_changed(const core::StoredEvent& event);
  void end_credentials(const core::StoredEvent& event);

  mutable std::mutex mutex_ = {};
  std::size_t bytes_max_;
  Metrics& metrics_;
  std::uint64_t applied_ = 0;
  std::uint64_t newest_observed_ = 0;
  std::int64_t complete_until_ms_ = 0;
  std::uint64_t credential_changes_ = 0;
  std::size_t bytes_ = 0;
  std::unordered_map<core::Sha256, std::shared_ptr<VerifiedToken>, core::Sha256Prefix> tokens_ = {};
  std::unordered_map<core::Sha256, AnswerPtr, core::Sha256Prefix> answers_ = {};
  std::list<AnswerPtr> by_use_ = {};  // the most recently used first
  // By the cluster of their dependency; empty = of projects.
  std::unordered_map<std::string, std::unordered_set<AnswerPtr>> by_cluster_ = {};
  std::unordered_map<core::Sha256, Head, core::Sha256Prefix> heads_ = {};
};

/// Guarded by its cache's mutex.
struct AnswerCache::Answer {
  core::Sha256 key = {};
  Dependency dependency = {};
  core::http::PreparedResponsePtr ready = {};
  prometheus::Counter* requests = nullptr;
  std::list<AnswerPtr>::iterator place = {};
  bool is_kept = true;
};

}  // namespace nucleus::gateway
