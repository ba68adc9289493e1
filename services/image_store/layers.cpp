// Layers that hosts send: an upload whose end is a generation of a node's disk instead of an image.
#include <algorithm>

#include "core/log/log.hpp"
#include "services/image_store/changes.hpp"
#include "services/image_store/generations.hpp"
#include "services/image_store/keys.hpp"
#include "services/image_store/uploads.hpp"

namespace nucleus::image_store {

using core::ErrorCode;
using msg::UploadState;

namespace {

constexpr core::Milliseconds layers_folder_deadline{60'000};

/// All bytes are there: it is checked again later.
bool is_for_now(ErrorCode code) {
  return code == ErrorCode::no_capacity || code == ErrorCode::unavailable ||
         code == ErrorCode::deadline_exceeded || code == ErrorCode::internal;
}

bool is_hex_digest(const std::string& text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

/// Blocks. What a killed process left is replaced.
core::Result<std::uint64_t> put_layer(StoreDriver& driver, const StageRequest& stage,
                                      const AdoptRequest& adopt, std::uint64_t disk_bytes) {
  if (auto removed = driver.remove_image(stage.folder); !removed)
    return std::unexpected(removed.error());
  const auto staged = driver.stage(stage);
  if (!staged) return std::unexpected(staged.error());
  if (staged->disk.virtual_bytes != disk_bytes)
    return std::unexpected(msg::invalid("size_bytes", "the layer is of a disk of another size"));
  if (auto adopted = driver.adopt(adopt); !adopted) return std::unexpected(adopted.error());
  return staged->disk.size_bytes;
}

}  // namespace

core::Result<void> Uploads::check_layer(const msg::ReceiveLayer& request) const {
  if (!config_.hosts)
    return core::refuse(ErrorCode::unavailable, "this image store does not listen to hosts");
  if (request.size_bytes < 1 || request.size_bytes > config_.upload_bytes_max)
    return std::unexpected(msg::invalid(
        "size_bytes", "size_bytes must be 1 to " + std::to_string(config_.upload_bytes_max)));
  if (!is_hex_digest(request.sha256))
    return std::unexpected(msg::invalid("sha256", "sha256 must be 64 hexadecimal digits"));
  return {};
}

void Uploads::receive_layer(const msg::ReceiveLayer& request, core::Context& context,
                            core::Responder<msg::UploadTicket> respond) {
  if (auto allowed = check_layer(request); !allowed)
    return respond(std::unexpected(allowed.error()));
  workers_.run<void>(
      loop_, layers_folder_deadline, [folder = folder_] { return folder.create(); },
      [this, request, context, respond](const core::Result<void>& created) {
        if (!created) return respond(std::unexpected(created.error()));
        begin_layer(request, context, respond);
      });
}

void Uploads::begin_layer(const msg::ReceiveLayer& request, core::Context context,
                          const core::Responder<msg::UploadTicket>& respond) {
  const auto now = context.now_unix_s();
  const auto plan = plan_received_layer(view_, request, context.new_id(), now);
  if (!plan) return respond(std::unexpected(plan.error()));
  if (!plan->volumes.empty()) {
    auto tx = store_.begin(context);
    apply(*plan, view_, tx);
    if (auto committed = tx.commit(); !committed)
      return respond(std::unexpected(committed.error()));
  }
  StoredUpload upload{.upload_id = context.new_id(),
                      .format = msg::ImageFormat::qcow2,
                      .begun_unix_s = now,
                      .size_bytes = request.size_bytes,
                      .sha256 = request.sha256,
                      .node_id = request.node_id,
                      .work_id = request.work_id};
  store_.for_each<StoredUpload>(keys::uploads(), [&](const StoredUpload& known) {
    if (known.node_id == request.node_id && known.work_id == request.work_id) upload = known;
  });
  const bool is_over = !view_.volume(request.node_id)->work.is_under_way();
  if (is_over || upload.state != UploadState::receiving) return respond(msg::UploadTicket{});
  issue_ticket(std::move(upload), context, [respond](core::Result<msg::UploadTicket> ticket) {
    if (ticket) ticket->url = "/uploads/" + ticket->upload_id;  // hosts know where it listens
    respond(std::move(ticket));
  });
}

/// Copies and checks it on a worker, then ends the work on the disk.
void Uploads::publish_layer(const StoredUpload& upload) {
  const auto* stored = view_.volume(upload.node_id);
  const bool is_wanted = stored && stored->state != VolumeState::removed &&
                         stored->work.is_under_way() && stored->work.work_id == upload.work_id;
  if (!is_wanted) return drop_layer(upload.upload_id);
  if (!publishing_layers_.insert(upload.upload_id).second) return;
  const StageRequest stage{.folder = stored->work.folder,
                           .format = msg::ImageFormat::qcow2,
                           .from = {.disk = folder_.path_of(upload.upload_id)},
                           .is_upload = true,
                           .is_final = true,
                           .size_bytes = upload.size_bytes,
                           .sha256 = upload.sha256,
                           .limits = {.size_bytes_max = config_.upload_bytes_max,
                                      .virtual_bytes_max = config_.virtual_bytes_max}};
  const auto adopt = adopt_request(*stored, *driver_);
  workers_.run<std::uint64_t>(
      loop_, core::Milliseconds{config_.work_deadline_ms},
      [driver = driver_, stage, adopt, disk_bytes = stored->volume.disk_bytes] {
        return put_layer(*driver, stage, adopt, disk_bytes);
      },
      [this, upload, folder = stage.folder](const core::Result<std::uint64_t>& size_bytes) {
        if (publishing_layers_.erase(upload.upload_id) == 1 && store_.is_loaded())
          end_layer(upload, folder, size_bytes);
      });
}

void Uploads::end_layer(const StoredUpload& upload, const std::string& folder,
                        const core::Result<std::uint64_t>& size_bytes) {
  if (!size_bytes)
    core::log::warning("layer_refused",
                       {{"node", upload.node_id.value}, {"reason", size_bytes.error().detail}});
  if (!size_bytes && is_for_now(size_bytes.error().code)) return;
  if (const auto plan =
          plan_disk_work_end(view_, upload.node_id, upload.work_id, digest_of_size(size_bytes))) {
    auto context = bus_.context();
    auto tx = store_.begin(context);
    apply(*plan, view_, tx);
    if (!tx.commit()) return;
  } else {
    workers_.submit([driver = driver_, folder] { (void)driver->remove_image(folder); });
  }
  drop_layer(upload.upload_id);
}

void Uploads::drop_layer(const std::string& upload_id) {
  auto context = bus_.context();
  auto tx = store_.begin(context);
  tx.remove(keys::upload(upload_id));
  if (!tx.commit()) return;
  store_.when_durable([this, upload_id](const core::Result<void>& durable) {
    if (durable) remove_file(upload_id);
  });
}

}  // namespace nucleus::image_store
