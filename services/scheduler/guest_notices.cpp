#include "services/scheduler/guest_notices.hpp"

#include "messages/provisioner.hpp"
#include "messages/text.hpp"
#include "services/scheduler/plan/reservations.hpp"

namespace nucleus::scheduler {

namespace {

constexpr core::Milliseconds notice_timeout{120'000};  // a guest may still be booting

std::string named(const msg::Computeset& computeset) {
  return "Nucleus: computeset " + std::to_string(computeset.computeset_id);
}

}  // namespace

std::vector<GuestNotice> notices_of(const View& before, const Plan& plan) {
  std::vector<GuestNotice> notices;
  for (const auto& [id, stored] : plan.changes.computesets) {
    const auto* was = before.computeset(id);
    if (!was || !stored) continue;
    const auto& computeset = stored->computeset;
    if (stored->is_noticed && !was->is_noticed)
      notices.push_back({id, named(computeset) + " ends at " +
                                 msg::utc_text(end_unix_s(before, *stored)) +
                                 "; this node is shut down then."});
    if (computeset.idle_since_unix_s != 0 && was->computeset.idle_since_unix_s == 0)
      notices.push_back({id, named(computeset) + " has been idle since " +
                                 msg::utc_text(computeset.idle_since_unix_s) + " and is charged."});
  }
  return notices;
}

void send_notices(core::Bus& bus, const View& view, const std::vector<GuestNotice>& notices) {
  for (const auto& [id, text] : notices)
    for (const auto& node_id : view.computeset(id)->computeset.nodes) {
      const auto* node = view.node(node_id);
      const auto* host = node && node->is_grant_on ? view.host(node->host_id) : nullptr;
      if (!host) continue;
      bus.call(msg::NotifyNode{.node_id = node_id, .text = text},
               {.to = host->process, .deadline = notice_timeout},
               [](const core::Result<msg::Done>&) {});
    }
}

}  // namespace nucleus::scheduler
