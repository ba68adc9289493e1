#include "services/provisioner/driver/layer_sender.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/files/files.hpp"
#include "core/log/log.hpp"
#include "services/provisioner/driver/tus_client.hpp"

namespace nucleus::provisioner {

LayerSender::~LayerSender() {
  {
    const std::scoped_lock lock{mutex_};
    for (const auto& [node_id, transfer] : transfers_) transfer->is_cancelled = true;
  }
  workers_.stop();
}

core::Result<msg::LayerSent> LayerSender::send(const msg::NodeId& node_id, const std::string& path,
                                               const LayerUpload& upload) {
  const std::scoped_lock lock{mutex_};
  const auto known = transfers_.find(node_id);
  if (known != transfers_.end()) {
    const auto earlier = known->second;
    if (earlier->path == path && earlier->upload.url == upload.url) {
      msg::LayerSent sent{.sent_bytes = earlier->sent_bytes};
      if (earlier->is_under_way) return sent;
      sent.is_complete = earlier->is_complete;
      sent.reason = earlier->reason;
      if (!sent.is_complete) transfers_.erase(known);
      return sent;
    }
    earlier->is_cancelled = true;
  }
  auto next = std::make_shared<Transfer>(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  next->node_id = node_id;
  next->path = path;
  next->upload = upload;
  struct stat status {};
  if (!next->file.is_open() || fstat(next->file.number(), &status) != 0)
    return core::refuse_errno("cannot read the layer");
  next->size_bytes = static_cast<std::uint64_t>(status.st_size);
  transfers_[node_id] = next;
  workers_.submit([this, next] { run(*next); });
  return msg::LayerSent{};
}

void LayerSender::run(Transfer& transfer) const {
  const auto done = send_by_tus({.url = transfer.upload.url,
                                 .ticket = transfer.upload.ticket,
                                 .ca_file = options_.ca_file,
                                 .file = transfer.file.number(),
                                 .size_bytes = transfer.size_bytes,
                                 .bytes_per_s_max = options_.bytes_per_s_max},
                                transfer.sent_bytes, transfer.is_cancelled);
  if (!done && !transfer.is_cancelled)
    core::log::warning("layer_not_sent", {{"node", transfer.node_id.value},
                                          {"sent_bytes", transfer.sent_bytes.load()},
                                          {"size_bytes", transfer.size_bytes},
                                          {"reason", done.error().detail}});
  if (!done) transfer.reason = done.error().detail;
  transfer.is_complete = done.has_value();
  transfer.is_under_way = false;
}

void LayerSender::cancel(const msg::NodeId& node_id) {
  const std::scoped_lock lock{mutex_};
  const auto known = transfers_.find(node_id);
  if (known == transfers_.end()) return;
  known->second->is_cancelled = true;
  transfers_.erase(known);
}

}  // namespace nucleus::provisioner
