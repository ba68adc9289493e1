// What the gateway was told and may tell again: finished answers to GETs, and credentials that the
// registry verified. Events end both; nothing is told while it is not sure that all events were
// heard. No service's state: what is lost here is asked for again. From any thread.
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
#include "core/state/journal.hpp"
#include "gateway/metrics.hpp"
#include "gateway/ready_answer.hpp"
#include "messages/people.hpp"

namespace nucleus::gateway {

/// Events of what can change an answer: of one cluster, or of projects.
struct Dependency {
  std::string cluster = {};  // empty = any of these projects
  std::vector<msg::ProjectId> projects = {};
  bool is_everything = false;  // of all projects
};

/// May what the event tells change an answer of this dependency? In doubt it may.
bool may_change(const Dependency& dependency, const core::StoredEvent& event);

/// A credential that the registry verified.
struct VerifiedToken {
  msg::Principal who = {};
  std::int64_t until_ms = 0;  // steady
  bool is_ended = false;      // guarded by its AnswerCache
};
using VerifiedTokenPtr = std::shared_ptr<const VerifiedToken>;

class AnswerCache {
 public:
  struct Answer;
  using AnswerPtr = std::shared_ptr<Answer>;

  /// Answers take about `bytes_max` at most; 0 = none is kept.
  AnswerCache(std::size_t bytes_max, Metrics& metrics) : bytes_max_{bytes_max}, metrics_{metrics} {}

  /// Forgets all; events up to `heard` were heard.
  void begin(std::uint64_t heard);
  /// The next event: forgets what it may change.
  void apply(const core::StoredEvent& event);
  /// An event of this number is there. Until it was heard, nothing is told.
  void observe(std::uint64_t sequence);
  /// All events up to this moment (steady, ms) were heard; 0 = nobody knows.
  void set_complete_until(std::int64_t complete_until_ms);
  /// Are events heard, though perhaps not all that are there?
  bool is_receiving(std::int64_t now_ms) const;
  std::uint64_t newest_observed() const;

  /// Null where this secret is not remembered.
  VerifiedTokenPtr find_token(const core::Sha256& secret, std::int64_t now_ms) const;
  /// How often a credential ended so far.
  std::uint64_t credential_changes() const;
  /// Remembers that the registry verified this secret, for some seconds and `left_ms` at most.
  /// `changes_before` = `credential_changes` when it was asked: null where one has ended since.
  VerifiedTokenPtr keep_token(const core::Sha256& secret, msg::Principal who, std::int64_t now_ms,
                              std::int64_t left_ms, std::uint64_t changes_before);

  /// Null where there is none, or events up to `after` were not heard.
  AnswerPtr find(const core::Sha256& key, std::uint64_t after, std::int64_t now_ms);
  /// Keeps an answer that no event heard since it was asked for can have changed; null where it is
  /// too large. `requests` counts those that it answers.
  AnswerPtr keep(const core::Sha256& key, Dependency dependency, ReadyAnswerPtr ready,
                 prometheus::Counter& requests);
  /// From now on requests with this head, which asks for events up to `after`, are told the answer,
  /// as long as both are good.
  void bind(const core::Sha256& head, VerifiedTokenPtr verified, const AnswerPtr& answer,
            std::uint64_t after);
  /// Null where nothing good is bound to this head.
  ReadyAnswerPtr find_by_head(const core::Sha256& head, std::int64_t now_ms);

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
  std::uint64_t ended_ = 0;
  std::size_t bytes_ = 0;
  std::unordered_map<core::Sha256, std::shared_ptr<VerifiedToken>, core::Sha256Prefix> tokens_ = {};
  std::unordered_map<core::Sha256, AnswerPtr, core::Sha256Prefix> answers_ = {};
  std::list<AnswerPtr> by_use_ = {};  // the latest first
  // By the cluster of their dependency; empty = of projects.
  std::unordered_map<std::string, std::unordered_set<AnswerPtr>> by_cluster_ = {};
  std::unordered_map<core::Sha256, Head, core::Sha256Prefix> heads_ = {};
};

struct AnswerCache::Answer {
  core::Sha256 key = {};
  Dependency dependency = {};
  ReadyAnswerPtr ready = {};
  prometheus::Counter* requests = nullptr;
  std::list<AnswerPtr>::iterator place = {};
  bool is_kept = true;  // guarded by its AnswerCache, like all of this
};

}  // namespace nucleus::gateway
