#include "services/scheduler/host_saves.hpp"

#include <set>

namespace nucleus::scheduler {

using core::ErrorCode;

namespace {

constexpr core::Milliseconds save_call_timeout{30'000};

}  // namespace

void HostSaves::step() {
  const auto saves = host_saves(view_);
  std::set<std::string> known;
  for (const auto& save : saves) known.insert(save.work_id);
  std::erase_if(progress_, [&](const auto& entry) { return !known.contains(entry.first); });
  for (const auto& save : saves) step(save, progress_[save.work_id]);
}

void HostSaves::step(const HostSave& save, Progress& progress) {
  if (progress.is_called) return;
  const auto* host = view_.host(save.host_id);
  if (!host) return end(save, "host " + save.host_id.value + " was removed");
  if (host->state != msg::HostState::up)
    return show(save,
                "host " + save.host_id.value + " is " + std::string(msg::name_of(host->state)));
  if (!save.content_id.empty()) return tell_content(save);
  if (!progress.sealed.is_sealed) return seal(save);
  if (progress.is_sent) return;  // the image store checks it
  if (progress.upload.url.empty()) return receive(save, progress.sealed);
  send(save, progress.upload);
}

/// The commit that recorded the work may still fail: until it is durable, nothing is done.
void HostSaves::when_recorded(const HostSave& save, std::function<void()> ask) {
  progress_[save.work_id].is_called = true;
  store_.when_durable(
      [this, id = save.work_id, ask = std::move(ask)](const core::Result<void>& durable) {
        if (durable) return ask();
        if (const auto found = progress_.find(id); found != progress_.end())
          found->second.is_called = false;
      });
}

template <class Reply>
std::function<void(const core::Result<Reply>&)> HostSaves::taken(
    const HostSave& save, std::function<void(Progress&, const core::Result<Reply>&)> take) {
  return [this, id = save.work_id, take = std::move(take)](const core::Result<Reply>& reply) {
    const auto found = progress_.find(id);
    if (found == progress_.end()) return;
    found->second.is_called = false;
    if (store_.is_loaded()) take(found->second, reply);
  };
}

void HostSaves::seal(const HostSave& save) {
  const msg::SealDisk request{
      .host_id = save.host_id, .node_id = save.node_id, .save_id = save.work_id};
  const auto take = taken<msg::SealedDisk>(
      save, [this, save](Progress& progress, const core::Result<msg::SealedDisk>& sealed) {
        if (sealed) {
          progress.sealed = *sealed;
          return show(save, "");
        }
        if (sealed.error().code == ErrorCode::not_found) return end(save, sealed.error().detail);
        show(save, sealed.error().detail);
      });
  when_recorded(save, [this, save, request, take] {
    bus_.call<msg::SealDisk>(request, {.to = save.process, .deadline = save_call_timeout}, take);
  });
}

void HostSaves::receive(const HostSave& save, const msg::SealedDisk& sealed) {
  const msg::ReceiveLayer request{.node_id = save.node_id,
                                  .work_id = save.work_id,
                                  .name = save.name,
                                  .size_bytes = sealed.size_bytes,
                                  .sha256 = sealed.sha256,
                                  .is_automatic = save.is_automatic,
                                  .sealed_unix_s = sealed.sealed_unix_s};
  const auto take = taken<msg::UploadTicket>(
      save, [this, save](Progress& progress, const core::Result<msg::UploadTicket>& upload) {
        if (upload) {
          progress.upload = *upload;
          progress.is_sent = upload->url.empty();
          return;
        }
        const auto& error = upload.error();
        const bool is_final =
            error.code == ErrorCode::wrong_state || error.code == ErrorCode::not_found ||
            error.code == ErrorCode::invalid_argument || error.code == ErrorCode::conflict;
        if (is_final)
          end(save, error.detail);
        else
          show(save, error.detail);
      });
  when_recorded(save, [this, save, request, take] {
    bus_.call<msg::ReceiveLayer>(request, {.deadline = save_call_timeout}, take);
  });
}

void HostSaves::send(const HostSave& save, const msg::UploadTicket& upload) {
  const msg::SendLayer request{.host_id = save.host_id,
                               .node_id = save.node_id,
                               .save_id = save.work_id,
                               .url = upload.url,
                               .ticket = upload.ticket};
  const auto take = taken<msg::LayerSent>(
      save, [this, save](Progress& progress, const core::Result<msg::LayerSent>& sent) {
        if (sent && sent->is_complete) {
          progress.is_sent = true;
          return show(save, "");
        }
        if (sent && sent->reason.empty()) return;
        // With a new ticket, if the upload has expired.
        progress.upload = {};
        if (!sent && sent.error().code == ErrorCode::not_found) progress.sealed = {};
        show(save, sent ? sent->reason : sent.error().detail);
      });
  when_recorded(save, [this, save, request, take] {
    bus_.call<msg::SendLayer>(request, {.to = save.process, .deadline = save_call_timeout}, take);
  });
}

void HostSaves::tell_content(const HostSave& save) {
  const msg::SendLayer request{.host_id = save.host_id,
                               .node_id = save.node_id,
                               .save_id = save.work_id,
                               .content_id = save.content_id};
  const auto take = taken<msg::LayerSent>(
      save, [this, save](Progress&, const core::Result<msg::LayerSent>& told) {
        if (told) return end(save, "", told->is_continued);
        // A host that has no such layer reads it from the image store.
        if (told.error().code == ErrorCode::not_found) return end(save, "");
        show(save, told.error().detail);
      });
  when_recorded(save, [this, save, request, take] {
    bus_.call<msg::SendLayer>(request, {.to = save.process, .deadline = save_call_timeout}, take);
  });
}

void HostSaves::show(const HostSave& save, const std::string& reason) {
  const auto context = bus_.context();
  auto plan = plan_disk_work_reason(view_, save, reason, context.now_unix_ms());
  if (!plan.empty()) (void)ledger_.apply(std::move(plan), context);
}

void HostSaves::end(const HostSave& save, const std::string& reason, bool is_continued) {
  const auto context = bus_.context();
  auto plan = plan_disk_work_ended(view_, {.node_id = save.node_id, .work_id = save.work_id},
                                   reason, context.now_unix_ms(), is_continued);
  if (!plan.empty()) (void)ledger_.apply(std::move(plan), context);
}

}  // namespace nucleus::scheduler
