// Volumes' work on the generations of disks. It is recorded first, then done, and repeated until
// its end is recorded.
#include <algorithm>

#include "core/log/log.hpp"
#include "services/image_store/changes.hpp"
#include "services/image_store/generations.hpp"
#include "services/image_store/keys.hpp"
#include "services/image_store/volumes.hpp"

namespace nucleus::image_store {

namespace {

constexpr core::Milliseconds disk_work_deadline{300'000};

/// Blocks.
core::Result<FileDigest> do_work(StoreDriver& driver, const StoredVolume& stored,
                                 std::chrono::milliseconds merge_deadline) {
  switch (stored.work.kind) {
    case msg::DiskWorkKind::save:
      return digest_of_size(driver.seal(seal_request(stored)));
    case msg::DiskWorkKind::roll_back: {
      const auto request = roll_back_request(stored, driver);
      if (!request) return std::unexpected(request.error());
      if (auto done = driver.roll_back(*request); !done) return std::unexpected(done.error());
      return FileDigest{};
    }
    case msg::DiskWorkKind::remove:
      if (auto request = merge_request(stored, driver)) {
        request->deadline = merge_deadline;
        return driver.merge(*request);
      }
      break;
    case msg::DiskWorkKind::unknown:
      break;
  }
  return FileDigest{};
}

bool is_to_repeat(const core::Result<FileDigest>& done) {
  return !done && (done.error().code == core::ErrorCode::unavailable ||
                   done.error().code == core::ErrorCode::deadline_exceeded);
}

}  // namespace

core::Result<msg::Done> Volumes::work_on_disk(const msg::WorkOnDisk& request,
                                              core::Context& context) {
  if (auto allowed = check_no_image_of(request); !allowed) return std::unexpected(allowed.error());
  const auto plan = plan_disk_work(view_, request, context.new_id(), context.now_unix_s());
  if (!plan) return std::unexpected(plan.error());
  auto tx = store_.begin(context);
  apply(*plan, view_, tx);
  retry_at_ms_.erase(request.node_id);
  auto reply = tx.commit(msg::Done{});
  reconcile(request.node_id);
  return reply;
}

/// An image of a generation may still have to begin.
core::Result<void> Volumes::check_no_image_of(const msg::WorkOnDisk& request) const {
  const auto* stored = view_.volume(request.node_id);
  if (!stored || stored->work.work_id == request.work_id) return {};
  const auto numbers = numbers_removed(*stored, request);
  core::Result<void> allowed;
  store_.for_each<StoredUpload>(keys::uploads(), [&](const StoredUpload& upload) {
    if (upload.is_of_disk() && upload.node_id == request.node_id &&
        upload.state == msg::UploadState::receiving &&
        std::ranges::find(numbers, upload.generation) != numbers.end())
      allowed = core::refuse(core::ErrorCode::wrong_state,
                             "image " + upload.image_id.value + " is being made of generation " +
                                 std::to_string(upload.generation),
                             "generation");
  });
  return allowed;
}

/// Files change once the record is durable: the work is known after a crash.
void Volumes::work_on(const msg::NodeId& node_id) {
  busy_.insert(node_id);
  store_.when_durable([this, node_id, generation = generation_](const core::Result<void>& durable) {
    if (generation != generation_) return;
    const auto* stored = view_.volume(node_id);
    if (!durable || !stored || !stored->work.is_under_way()) return void(busy_.erase(node_id));
    const bool is_merge = stored->work.kind == msg::DiskWorkKind::remove;
    const core::Milliseconds merge_deadline{config_.work_deadline_ms};
    workers_.run<FileDigest>(
        loop_, is_merge ? merge_deadline : disk_work_deadline,
        [driver = driver_, stored = *stored, merge_deadline] {
          return do_work(*driver, stored, merge_deadline);
        },
        [this, node_id, work_id = stored->work.work_id,
         generation](const core::Result<FileDigest>& done) {
          if (generation != generation_) return;
          busy_.erase(node_id);
          end_work(node_id, work_id, done);
        });
  });
}

void Volumes::end_work(const msg::NodeId& node_id, const std::string& work_id,
                       const core::Result<FileDigest>& done) {
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
