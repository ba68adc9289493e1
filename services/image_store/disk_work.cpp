// Volumes' work on the generations of disks. It is recorded first, then done, and repeated until
// its end is recorded.
#include "core/log/log.hpp"
#include "services/image_store/changes.hpp"
#include "services/image_store/generations.hpp"
#include "services/image_store/volumes.hpp"

namespace nucleus::image_store {

namespace {

constexpr core::Milliseconds disk_work_deadline{300'000};

/// Blocks.
core::Result<std::uint64_t> do_work(StoreDriver& driver, const StoredVolume& stored) {
  switch (stored.work.kind) {
    case msg::DiskWorkKind::save:
      return driver.seal(seal_request(stored));
    case msg::DiskWorkKind::roll_back: {
      const auto request = roll_back_request(stored, driver);
      if (!request) return std::unexpected(request.error());
      if (auto done = driver.roll_back(*request); !done) return std::unexpected(done.error());
      return 0;
    }
    case msg::DiskWorkKind::remove:
    case msg::DiskWorkKind::unknown:
      break;
  }
  return 0;
}

bool is_to_repeat(const core::Result<std::uint64_t>& done) {
  return !done && (done.error().code == core::ErrorCode::unavailable ||
                   done.error().code == core::ErrorCode::deadline_exceeded);
}

}  // namespace

core::Result<msg::Done> Volumes::work_on_disk(const msg::WorkOnDisk& request,
                                              core::Context& context) {
  const auto plan = plan_disk_work(view_, request, context.new_id(), context.now_unix_s());
  if (!plan) return std::unexpected(plan.error());
  auto tx = store_.begin(context);
  apply(*plan, view_, tx);
  retry_at_ms_.erase(request.node_id);
  auto reply = tx.commit(msg::Done{});
  reconcile(request.node_id);
  return reply;
}

/// Files change once the record is durable: the work is known after a crash.
void Volumes::work_on(const msg::NodeId& node_id) {
  busy_.insert(node_id);
  store_.when_durable([this, node_id, generation = generation_](const core::Result<void>& durable) {
    if (generation != generation_) return;
    const auto* stored = view_.volume(node_id);
    if (!durable || !stored || !stored->work.is_under_way()) return void(busy_.erase(node_id));
    workers_.run<std::uint64_t>(
        loop_, disk_work_deadline,
        [driver = driver_, stored = *stored] { return do_work(*driver, stored); },
        [this, node_id, work_id = stored->work.work_id,
         generation](const core::Result<std::uint64_t>& done) {
          if (generation != generation_) return;
          busy_.erase(node_id);
          end_work(node_id, work_id, done);
        });
  });
}

void Volumes::end_work(const msg::NodeId& node_id, const std::string& work_id,
                       const core::Result<std::uint64_t>& done) {
  if (!store_.is_loaded()) return;
  if (is_to_repeat(done)) {
    core::log::warning("disk_work_repeated",
                       {{"node", node_id.value}, {"reason", done.error().detail}});
    return retry_later(node_id);
  }
  const auto plan = plan_disk_work_end(view_, node_id, work_id, done);
  if (!plan) return;
  core::Context context = bus_.context();
  auto tx = store_.begin(context);
  apply(*plan, view_, tx);
  (void)tx.commit();
}

}  // namespace nucleus::image_store
