#include "services/scheduler/plan/forecast.hpp"

#include <algorithm>
#include <vector>

#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/priority.hpp"
#include "services/scheduler/reserved_hosts.hpp"

namespace nucleus::scheduler {

namespace {

/// When the node leaves its host; none if it has no end. What is being stopped leaves soon.
std::optional<std::int64_t> leaves_at(const Draft& draft, const StoredNode& node) {
  if (!node.is_grant_on) return draft.now_unix_s();
  const auto* stored = draft.computeset(node.computeset_id);
  if (!stored) return std::nullopt;
  if (stored->computeset.state == msg::ComputesetState::ending) return draft.now_unix_s();
  return std::max(draft.now_unix_s(), end_unix_s(draft.view(), *stored));
}

/// The hosts of a reservation that has ended are held by the next one, if there is one.
void end_reservation(const View& view, std::int64_t id, HostPool& pool) {
  const auto& ended = view.reservation(id)->reservation;
  for (const auto& host_id : reserved_hosts(ended)) {
    HostPool::Hold next;
    for (const auto* other : view.reservations_of(host_id)) {
      const auto& its = other->reservation;
      if (its.start_unix_s >= ended.end_unix_s && its.start_unix_s < next.from_unix_s)
        next = {.from_unix_s = its.start_unix_s, .reservation_id = its.reservation_id};
    }
    pool.hold(host_id, next);
  }
}

}  // namespace

/// How many times a size fits on the hosts of a pool, whatever their reservations: a placement is
/// tried only if it is not excluded by that.
class Outlook::Slots {
 public:
  Slots(const HostPool& pool, const Needs& needs)
      : size_{needs.all.front().size},
        count_{static_cast<std::int64_t>(needs.count_min)},
        is_exact_{std::ranges::all_of(
            needs.all, [&](const Need& need) { return need.size == needs.all.front().size; })} {
    for (const auto& [id, host] : pool.hosts()) slots_ += of(host);
  }
  std::int64_t of(const HostPool::Host& host) const {
    return is_exact_ && host.is_open ? times_fitting(size_, host.free(), count_) : 0;
  }
  void change(std::int64_t slots) { slots_ += slots; }
  bool may_fit() const { return !is_exact_ || slots_ >= count_; }

 private:
  const Resources size_;
  const std::int64_t count_;
  const bool is_exact_;
  std::int64_t slots_ = 0;
};

Outlook::Outlook(const Draft& draft)
    : draft_{&draft}, pool_{draft.view().pool()}, at_unix_s_{draft.now_unix_s()} {
  const auto& view = draft.view();
  for (const auto& [host_id, host] : view.hosts())
    for (const auto& id : view.nodes_on(host_id))
      if (!draft.changes().nodes.contains(id)) add(*view.node(id));
  for (const auto& [id, node] : draft.changes().nodes) {
    const auto* before = view.node(id);
    if (before && !before->host_id.empty()) pool_.release(before->host_id, before->size);
    if (!node || node->host_id.empty()) continue;
    pool_.use(node->host_id, node->size);
    add(*node);
  }
  for (const auto& [id, stored] : view.reservations())
    if (stored.reservation.state != msg::ReservationState::ended)
      steps_[std::max(at_unix_s_, stored.reservation.end_unix_s)].ended.push_back(id);
}

void Outlook::add(const StoredNode& node) {
  if (const auto at = leaves_at(*draft_, node))
    steps_[*at].released.emplace_back(node.host_id, node.size);
}

void Outlook::take_step(Slots& slots) {
  const auto step = steps_.extract(steps_.begin());
  at_unix_s_ = step.key();
  for (const auto& [host_id, size] : step.mapped().released) {
    const auto before = slots.of(*pool_.find(host_id));
    pool_.release(host_id, size);
    const auto* host = pool_.find(host_id);
    slots.change((host ? slots.of(*host) : 0) - before);
  }
  for (const auto id : step.mapped().ended) end_reservation(draft_->view(), id, pool_);
}

std::optional<Forecast> Outlook::place(const Needs& needs, std::size_t& search_steps_left) {
  Slots slots{pool_, needs};
  Needs later = needs;
  for (;; take_step(slots)) {
    if (slots.may_fit()) {
      for (std::size_t i = 0; i < needs.all.size(); ++i)
        later.all[i].until_unix_s = needs.all[i].until_unix_s + at_unix_s_ - draft_->now_unix_s();
      HostPoolDraft left{pool_};
      if (const auto hosts = place_most(left, later, search_steps_left)) {
        Forecast found{.start_unix_s = at_unix_s_};
        for (std::size_t i = 0; i < hosts->size(); ++i) {
          const auto& host_id = (*hosts)[i];
          if (host_id.empty()) continue;
          const auto& need = later.all[i];
          found.left[host_id] = left.free(host_id);
          pool_.use(host_id, need.size);
          steps_[need.until_unix_s].released.emplace_back(host_id, need.size);
        }
        return found;
      }
    }
    if (steps_.empty()) return std::nullopt;
  }
}

std::optional<std::int64_t> expected_start_unix_s(Draft& draft, msg::ComputesetId id) {
  constexpr std::size_t ahead_max = 100;  // each costs a copy of the hosts
  const auto choice = choice_of(*draft.computeset(id));
  const auto* named = draft.reservation(choice.reservation_id);
  if (named && named->reservation.state == msg::ReservationState::planned)
    return named->reservation.start_unix_s;
  Outlook outlook{draft};
  std::size_t ahead = 0;
  for (const auto other : Priorities{draft}.order()) {
    const auto& stored = *draft.computeset(other);
    if (choice_of(stored) != choice) continue;
    if (ahead++ > ahead_max) return std::nullopt;
    auto next = outlook;
    const auto found = next.place(needs_of(draft, stored), draft.search_steps_left());
    if (other == id) return found ? std::optional{found->start_unix_s} : std::nullopt;
    if (found) outlook = std::move(next);
  }
  return std::nullopt;
}

}  // namespace nucleus::scheduler
