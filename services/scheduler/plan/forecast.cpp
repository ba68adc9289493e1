#include "services/scheduler/plan/forecast.hpp"

#include <algorithm>
#include <vector>

#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/reserved_hosts.hpp"

namespace nucleus::scheduler {

namespace {

/// What becomes free at one time.
struct Step {
  std::vector<std::pair<msg::HostId, Resources>> released = {};
  std::vector<std::int64_t> ended = {};  // reservations
};
using Steps = std::map<std::int64_t, Step>;

/// When the node leaves its host; none if it has no end. What is being stopped leaves soon.
std::optional<std::int64_t> leaves_at(const Draft& draft, const StoredNode& node) {
  if (!node.is_grant_on) return draft.now_unix_s();
  const auto* stored = draft.computeset(node.computeset_id);
  if (!stored) return std::nullopt;
  if (stored->computeset.state == msg::ComputesetState::ending) return draft.now_unix_s();
  return std::max(draft.now_unix_s(), end_unix_s(draft.view(), *stored));
}

/// All that becomes free; `pool`, that of the view, becomes that of the draft.
Steps steps_of(const Draft& draft, HostPool& pool) {
  Steps steps;
  const auto add = [&](const StoredNode& node) {
    if (const auto at = leaves_at(draft, node))
      steps[*at].released.emplace_back(node.host_id, node.size);
  };
  const auto& view = draft.view();
  for (const auto& [host_id, host] : view.hosts())
    for (const auto& id : view.nodes_on(host_id))
      if (!draft.changes().nodes.contains(id)) add(*view.node(id));
  for (const auto& [id, node] : draft.changes().nodes) {
    const auto* before = view.node(id);
    if (before && !before->host_id.empty()) pool.release(before->host_id, before->size);
    if (!node || node->host_id.empty()) continue;
    pool.use(node->host_id, node->size);
    add(*node);
  }
  for (const auto& [id, stored] : view.reservations())
    if (stored.reservation.state != msg::ReservationState::ended)
      steps[std::max(draft.now_unix_s(), stored.reservation.end_unix_s)].ended.push_back(id);
  return steps;
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

/// How many times a size fits on the hosts of a pool, whatever their reservations: a placement is
/// tried only if it is not excluded by that.
class Slots {
 public:
  Slots(const HostPool& pool, std::span<const Need> needs)
      : size_{needs.front().size},
        count_{static_cast<std::int64_t>(needs.size())},
        is_exact_{std::ranges::all_of(
            needs, [&](const Need& need) { return need.size == needs.front().size; })} {
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

}  // namespace

std::optional<Forecast> forecast(const Draft& draft, std::span<const Need> needs,
                                 std::size_t& search_steps_left) {
  HostPool pool = draft.view().pool();
  const auto steps = steps_of(draft, pool);
  Slots slots{pool, needs};
  std::vector<Need> later{needs.begin(), needs.end()};
  for (const auto& [at_unix_s, step] : steps) {
    for (const auto& [host_id, size] : step.released) {
      const auto before = slots.of(*pool.find(host_id));
      pool.release(host_id, size);
      const auto* host = pool.find(host_id);
      slots.change((host ? slots.of(*host) : 0) - before);
    }
    for (const auto id : step.ended) end_reservation(draft.view(), id, pool);
    if (!slots.may_fit()) continue;
    for (std::size_t i = 0; i < needs.size(); ++i)
      later[i].until_unix_s = needs[i].until_unix_s + at_unix_s - draft.now_unix_s();
    HostPoolDraft left{pool};
    const auto hosts = place_together(left, later, search_steps_left);
    if (!hosts) continue;
    Forecast found{.start_unix_s = at_unix_s};
    for (const auto& host_id : *hosts) found.left[host_id] = left.free(host_id);
    return found;
  }
  return std::nullopt;
}

}  // namespace nucleus::scheduler
