#include "services/provisioner/domains.hpp"

#include <algorithm>
#include <utility>

#include "core/assert.hpp"

namespace nucleus::provisioner {

namespace {
constexpr std::int64_t retry_ms_first = 500;
}  // namespace

bool is_present(DomainState state) {
  return state != DomainState::absent && state != DomainState::shutoff &&
         state != DomainState::crashed;
}

void DomainWork::begin() {
  NUCLEUS_ASSERT(!is_busy_);
  is_busy_ = true;
}

void DomainWork::end_with_success() {
  is_busy_ = false;
  retry_ms_ = 0;
}

void DomainWork::end_with_failure(std::int64_t now_ms, std::int64_t retry_ms_max) {
  is_busy_ = false;
  retry_ms_ = std::min(retry_ms_ == 0 ? retry_ms_first : retry_ms_ * 2, retry_ms_max);
  not_before_ms_ = now_ms + retry_ms_;
}

void Domains::set_unlisted() {
  is_listed_ = false;
  unlisted_at_ = ++now_;
}

void Domains::set_list(std::vector<DomainSeen> domains, std::uint64_t begun) {
  std::erase_if(changed_at_, [begun](const auto& change) { return change.second < begun; });
  std::erase_if(seen_, [this](const auto& known) { return !changed_at_.contains(known.first); });
  for (auto& seen : domains) {
    // One that is being started may fail yet: an event follows once it runs.
    const bool runs = is_present(seen.state) && seen.state != DomainState::starting;
    if (seen.epoch == 0 || !runs || changed_at_.contains(seen.uuid)) continue;
    std::string uuid = seen.uuid;
    seen_[std::move(uuid)] = std::move(seen);
  }
  is_listed_ = unlisted_at_ < begun;
}

void Domains::remove(const std::string& uuid) {
  seen_.erase(uuid);
  changed_at_[uuid] = ++now_;
}

bool Domains::observe(const DomainSeen& seen) {
  if (seen.epoch == 0) return false;
  const auto known = seen_.find(seen.uuid);
  if (known != seen_.end() && known->second.epoch > seen.epoch) return false;
  changed_at_[seen.uuid] = ++now_;
  if (is_present(seen.state)) {
    seen_[seen.uuid] = seen;
    return true;
  }
  if (known != seen_.end()) seen_.erase(known);
  return true;
}

void Domains::add_created(const DomainSeen& seen) {
  const auto* known = find(seen.uuid);
  const auto end = ends_.find(seen.uuid);
  const bool has_ended = end != ends_.end() && end->second.epoch == seen.epoch;
  if (has_ended || (known && known->epoch >= seen.epoch)) return;
  seen_[seen.uuid] = seen;
  changed_at_[seen.uuid] = ++now_;
}

const DomainSeen* Domains::find(const std::string& uuid) const {
  const auto found = seen_.find(uuid);
  return found == seen_.end() ? nullptr : &found->second;
}

void Domains::keep_end(const DomainSeen& seen) {
  NUCLEUS_ASSERT(!is_present(seen.state));
  ends_[seen.uuid] = {.epoch = seen.epoch, .state = seen.state, .reason = seen.reason};
}

std::optional<DomainEnd> Domains::take_end(const std::string& uuid, std::uint64_t epoch) {
  const auto found = ends_.find(uuid);
  if (found == ends_.end()) return std::nullopt;
  auto end = std::move(found->second);
  ends_.erase(found);
  return end.epoch == epoch ? std::optional(std::move(end)) : std::nullopt;
}

void Domains::check() const {
  for (const auto& [uuid, seen] : seen_) {
    NUCLEUS_ASSERT(seen.uuid == uuid);
    NUCLEUS_ASSERT(seen.epoch > 0);
    NUCLEUS_ASSERT(is_present(seen.state));
  }
}

}  // namespace nucleus::provisioner
