#include "services/image_store/volumes.hpp"

#include "core/list/page_builder.hpp"
#include "core/log/log.hpp"
#include "services/image_store/changes.hpp"
#include "services/image_store/tags.hpp"
#include "services/image_store/tickets.hpp"
#include "services/image_store/volume_plan.hpp"

namespace nucleus::image_store {

namespace {

constexpr core::Milliseconds step_deadline{120'000};

}  // namespace

Volumes::Volumes(core::Runtime& runtime, const Config& config, std::shared_ptr<StoreDriver> driver,
                 View& view, Metrics& metrics)
    : loop_{runtime.loop},
      workers_{runtime.workers},
      bus_{runtime.bus},
      store_{runtime.store},
      config_{config},
      driver_{std::move(driver)},
      view_{view},
      metrics_{metrics} {}

void Volumes::restart() {
  ++generation_;
  busy_.clear();
  retry_at_ms_.clear();
  must_check_tickets_ = true;
}

core::Result<void> Volumes::handle_node_defined(const msg::NodeDefined& event,
                                                core::Context& context) {
  auto tx = store_.begin(context);
  apply(plan_definition(view_, *driver_, event.node, new_ticket(context)), view_, tx);
  retry_at_ms_.erase(event.node.node_id);
  show_counts(metrics_, view_);
  auto done = tx.commit();
  reconcile(event.node.node_id);
  return done;
}

core::Result<void> Volumes::handle_node_removed(const msg::NodeRemoved& event,
                                                core::Context& context) {
  return remove({event.node.node_id}, context);
}

core::Result<void> Volumes::handle_cluster_removed(const msg::ClusterRemoved& event,
                                                   core::Context& context) {
  return remove(event.nodes, context);
}

core::Result<void> Volumes::remove(const std::vector<msg::NodeId>& node_ids,
                                   core::Context& context) {
  auto tx = store_.begin(context);
  const auto plan = plan_removal(view_, node_ids);
  for (const auto& volume : plan.volumes) retry_at_ms_.erase(volume.stored.node.node_id);
  apply(plan, view_, tx);
  show_counts(metrics_, view_);
  return tx.commit();
}

core::Result<msg::NodeVolumes> Volumes::list_volumes(const msg::ListVolumes& request,
                                                     core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  core::PageBuilder<msg::NodeVolume> page(request.page);
  const auto& volumes = view_.volumes();
  for (auto entry = volumes.upper_bound({request.page.after}); entry != volumes.end(); ++entry) {
    const auto& [node_id, stored] = *entry;
    const bool is_wanted =
        request.cluster_id.empty() || request.cluster_id == stored.node.cluster_id;
    if (stored.state == VolumeState::removed || !is_wanted ||
        !msg::sees(request.viewer, stored.node.project_id))
      continue;
    if (!page.add(node_volume(stored), node_id.value)) break;
  }
  return msg::NodeVolumes{.volumes = page.take(), .next = page.next()};
}

void Volumes::give_missing_tickets(core::Context& context) {
  const auto plan =
      plan_missing_tickets(view_, *driver_, [&context] { return new_ticket(context); });
  if (plan.volumes.empty()) return;
  auto tx = store_.begin(context);
  apply(plan, view_, tx);
  (void)tx.commit();
}

void Volumes::reconcile_all(core::Context& context) {
  if (std::exchange(must_check_tickets_, false)) give_missing_tickets(context);
  const auto unsettled = view_.unsettled();
  for (const auto& node_id : unsettled) reconcile(node_id);
}

/// Takes the next step for this volume, unless one is under way or it is too early for a retry.
void Volumes::reconcile(const msg::NodeId& node_id) {
  if (!view_.unsettled().contains(node_id) || busy_.contains(node_id) || !store_.is_loaded())
    return;
  const auto retry_at = retry_at_ms_.find(node_id);
  if (retry_at != retry_at_ms_.end() && loop_.steady_ms() < retry_at->second) return;
  const auto& stored = *view_.volume(node_id);
  if (stored.state == VolumeState::removed)
    delete_file(node_id);
  else if (stored.work.is_to_be_done())
    work_on(node_id);
  else
    make(stored);
}

void Volumes::make(const StoredVolume& stored) {
  const auto node_id = stored.node.node_id;
  if (is_tag(stored.node.image_id.value) && stored.image_id.empty()) return resolve_tag(stored);
  auto node = stored.node;
  node.image_id = stored.cloned_image();
  auto request = plan_clone(view_, *driver_, node);
  if (!request) return end_clone(node_id, std::unexpected(request.error()));
  busy_.insert(node_id);
  workers_.run<msg::Volume>(
      loop_, step_deadline,
      [driver = driver_, request = *request] { return driver->clone(request); },
      [this, node_id, generation = generation_](const core::Result<msg::Volume>& made) {
        if (generation != generation_) return;
        busy_.erase(node_id);
        end_clone(node_id, made);
      });
}

/// The tag may be moved while the disk is made, or before that is recorded.
void Volumes::resolve_tag(const StoredVolume& stored) {
  const auto node_id = stored.node.node_id;
  const auto plan = plan_tag_resolved(view_, stored);
  if (!plan) return end_clone(node_id, std::unexpected(plan.error()));
  busy_.insert(node_id);
  core::Context context = bus_.context();
  auto tx = store_.begin(context);
  apply(*plan, view_, tx);
  (void)tx.commit();
  store_.when_durable([this, node_id, generation = generation_](const core::Result<void>&) {
    if (generation != generation_) return;
    busy_.erase(node_id);
    reconcile(node_id);
  });
}

void Volumes::end_clone(const msg::NodeId& node_id, const core::Result<msg::Volume>& made) {
  if (!store_.is_loaded()) return;
  retry_later(node_id);
  const auto plan = plan_clone_end(view_, *driver_, node_id, made);
  if (!plan) return;
  const auto& stored = plan->volumes.front().stored;
  if (stored.state == VolumeState::waiting)
    core::log::warning("volume_not_ready", {{"node", node_id.value}, {"reason", stored.reason}});
  core::Context context = bus_.context();
  auto tx = store_.begin(context);
  apply(*plan, view_, tx);
  (void)tx.commit();
  if (stored.state == VolumeState::ready) retry_at_ms_.erase(node_id);
  show_counts(metrics_, view_);
}

void Volumes::delete_file(const msg::NodeId& node_id) {
  busy_.insert(node_id);
  workers_.run<void>(
      loop_, step_deadline, [driver = driver_, node_id] { return driver->remove_volume(node_id); },
      [this, node_id, generation = generation_](const core::Result<void>& removed) {
        if (generation != generation_ || !store_.is_loaded()) return;
        busy_.erase(node_id);
        if (!removed) return retry_later(node_id);
        core::Context context = bus_.context();
        auto tx = store_.begin(context);
        apply(plan_removal_end(view_, node_id), view_, tx);
        (void)tx.commit();
        retry_at_ms_.erase(node_id);
        show_counts(metrics_, view_);
      });
}

void Volumes::retry_later(const msg::NodeId& node_id) {
  retry_at_ms_[node_id] = loop_.steady_ms() + config_.retry_ms;
}

}  // namespace nucleus::image_store
