#include "services/image_store/uploads.hpp"

#include <algorithm>

#include "core/list/page_builder.hpp"
#include "services/image_store/image_rules.hpp"
#include "services/image_store/keys.hpp"
#include "services/image_store/quota.hpp"
#include "services/image_store/tickets.hpp"
#include "services/image_store/upload_rights.hpp"

namespace nucleus::image_store {

using core::ErrorCode;
using msg::UploadState;

namespace {

constexpr core::Milliseconds upload_file_deadline{60'000};
constexpr std::int64_t expiry_moves_max = 24;  // writes of a record within its time

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

bool may_see(const msg::Viewer& viewer, const StoredUpload& upload) {
  return msg::sees(viewer, owner_of(upload.image_id));
}

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

msg::ImageUpload shown_upload(const StoredUpload& upload, std::uint64_t offset,
                              std::int64_t keep_s) {
  return {.upload_id = upload.upload_id,
          .image_id = upload.image_id,
          .format = upload.format,
          .state = upload.state,
          .size_bytes = upload.size_bytes,
          .offset_bytes = offset,
          .sha256 = upload.sha256,
          .reason = upload.reason,
          .begun_unix_s = upload.begun_unix_s,
          .expires_unix_s =
              upload.expires_unix_s > 0 ? upload.expires_unix_s : upload.begun_unix_s + keep_s,
          .source_url = upload.source_url,
          .node_id = upload.node_id,
          .generation = upload.generation};
}

}  // namespace

Uploads::Uploads(core::Runtime& runtime, const Config& config, std::shared_ptr<StoreDriver> driver,
                 View& view, Images& images)
    : loop_{runtime.loop},
      workers_{runtime.workers},
      bus_{runtime.bus},
      store_{runtime.store},
      config_{config},
      folder_{config.uploads_directory},
      driver_{std::move(driver)},
      view_{view},
      images_{images},
      fetches_{runtime.loop, config,
               [this](const std::string& upload_id, const core::Result<std::uint64_t>& fetched) {
                 end_fetch(upload_id, fetched);
                 start_fetches();
               }} {}

void Uploads::restart() {
  publishing_layers_.clear();
  look_at_files();
  start_fetches();
}

core::Result<void> Uploads::check_begin(const msg::BeginUpload& request) const {
  if (auto allowed = check_new_image(view_, request.image_id, request.format, request.firmware);
      !allowed)
    return allowed;
  if (auto allowed = images_.check_not_publishing(request.image_id); !allowed) return allowed;
  if (!request.sha256.empty() && !is_hex(request.sha256, 64))
    return std::unexpected(msg::invalid("sha256", "sha256 must be 64 hexadecimal digits"));
  if (!request.md5.empty() && !is_hex(request.md5, 32))
    return std::unexpected(msg::invalid("md5", "md5 must be 32 hexadecimal digits"));
  if (!request.source_url.empty()) return check_source(request);
  if (request.size_bytes == 0) return {};
  if (url_.empty())
    return core::refuse(ErrorCode::unavailable, "this image store takes no resumable uploads");
  if (request.size_bytes > config_.upload_bytes_max)
    return std::unexpected(msg::invalid(
        "size_bytes", "size_bytes must be at most " + std::to_string(config_.upload_bytes_max)));
  return {};
}

core::Result<void> Uploads::check_source(const msg::BeginUpload& request) const {
  if (config_.fetches_max == 0)
    return core::refuse(ErrorCode::forbidden, "this image store fetches no images", "source_url");
  if (request.size_bytes > 0)
    return std::unexpected(
        msg::invalid("size_bytes", "size_bytes must not be given with source_url"));
  return check_source_url(request.source_url, !request.sha256.empty());
}

void Uploads::begin_upload(const msg::BeginUpload& request, core::Context& context,
                           core::Responder<msg::UploadTicket> respond) {
  if (auto allowed = check_begin(request); !allowed)
    return respond(std::unexpected(allowed.error()));
  workers_.run<void>(
      loop_, upload_file_deadline, [folder = folder_] { return folder.create(); },
      [this, request, context, respond](const core::Result<void>& created) {
        if (!created) return respond(std::unexpected(created.error()));
        begin_now(request, context, respond);
      });
}

/// Another request may have changed what was checked before: the quota and the record are one step.
void Uploads::begin_now(const msg::BeginUpload& request, core::Context context,
                        const core::Responder<msg::UploadTicket>& respond) {
  if (auto allowed = check_begin(request); !allowed)
    return respond(std::unexpected(allowed.error()));
  if (const auto* earlier = find_earlier(request)) {
    if (earlier->is_fetched()) return respond(fetch_reply(*earlier));
    auto upload = *earlier;
    set_holder(upload, request);
    return issue_ticket(std::move(upload), context, respond);
  }
  if (auto allowed = check_open_uploads(owner_of(request.image_id)); !allowed)
    return respond(std::unexpected(allowed.error()));
  if (auto allowed = check_quota(view_, store_, owner_of(request.image_id), request.size_bytes,
                                 config_.project_bytes_max);
      !allowed)
    return respond(std::unexpected(allowed.error()));
  const auto now = context.now_unix_s();
  StoredUpload upload{.upload_id = context.new_id(),
                      .image_id = request.image_id,
                      .format = request.format,
                      .begun_unix_s = now,
                      .size_bytes = request.size_bytes,
                      .sha256 = lower_case(request.sha256),
                      .md5 = lower_case(request.md5),
                      .expires_unix_s = now + config_.upload_keep_s,
                      .source_url = request.source_url,
                      .firmware = request.firmware};
  set_holder(upload, request);
  if (upload.is_fetched()) return begin_fetch(upload, context, respond);
  if (request.size_bytes > 0) return issue_ticket(std::move(upload), context, respond);
  auto tx = store_.begin(context);
  tx.write(keys::upload(upload.upload_id), upload);
  respond(tx.commit(msg::UploadTicket{.upload_id = upload.upload_id,
                                      .path = folder_.path_of(upload.upload_id),
                                      .size_bytes_max = config_.upload_bytes_max,
                                      .expires_unix_s = upload.expires_unix_s}));
}

core::Result<void> Uploads::check_open_uploads(const msg::ProjectId& project_id) const {
  std::uint64_t open = 0;
  store_.for_each<StoredUpload>(keys::uploads(), [&](const StoredUpload& upload) {
    if (upload.state == UploadState::receiving && owner_of(upload.image_id) == project_id) ++open;
  });
  if (open < config_.uploads_max) return {};
  return core::refuse(
      ErrorCode::wrong_state,
      "the project has " + std::to_string(open) + " uploads in progress; finish or remove one",
      "image_id");
}

const StoredUpload* Uploads::find_earlier(const msg::BeginUpload& request) const {
  const bool is_fetched = !request.source_url.empty();
  if (!is_fetched && (request.size_bytes == 0 || request.sha256.empty())) return nullptr;
  const StoredUpload* earlier = nullptr;
  store_.for_each<StoredUpload>(keys::uploads(), [&](const StoredUpload& upload) {
    if (upload.state == UploadState::receiving && upload.finishes_itself() &&
        !upload.is_of_disk() && upload.source_url == request.source_url &&
        upload.image_id == request.image_id && upload.format == request.format &&
        upload.firmware == request.firmware && upload.sha256 == lower_case(request.sha256) &&
        (is_fetched || upload.size_bytes == request.size_bytes))
      earlier = &upload;
  });
  return earlier;
}

core::Result<void> Uploads::end_rights(const msg::CredentialsChanged& change, core::Context&) {
  check_writers(change.person_id);
  return {};
}

/// Of this person; empty = of all. A part may be sent for hours.
void Uploads::check_writers(const msg::PersonId& person) {
  if (!store_.is_loaded()) return;
  store_.for_each<StoredUpload>(keys::uploads(), [&](const StoredUpload& upload) {
    if (!person.empty() && upload.person_id != person) return;
    if (!upload.is_resumable() || !locks_->is_locked(upload.upload_id)) return;
    const auto end = [locks = locks_, id = upload.upload_id](const core::Result<void>& right) {
      if (!right && right.error().code == ErrorCode::forbidden) locks->end(id);
    };
    check_upload_right(bus_, upload, end);
  });
}

/// The reply is not stored for repeats: it holds the ticket.
void Uploads::issue_ticket(StoredUpload upload, core::Context& context,
                           const core::Responder<msg::UploadTicket>& respond) {
  const auto ticket = new_ticket(context);
  upload.ticket_sha256 = core::sha256_hex(ticket);
  upload.expires_unix_s = context.now_unix_s() + config_.upload_keep_s;
  msg::UploadTicket reply{.upload_id = upload.upload_id,
                          .size_bytes_max = upload.size_bytes,
                          .url = url_ + upload.upload_id,
                          .ticket = ticket,
                          .expires_unix_s = upload.expires_unix_s};
  auto tx = store_.begin(context);
  tx.write(keys::upload(upload.upload_id), upload);
  if (auto committed = tx.commit(); !committed) return respond(std::unexpected(committed.error()));
  store_.when_durable([this, reply, respond](const core::Result<void>& durable) {
    if (!durable) return respond(std::unexpected(durable.error()));
    reply_with_offset(reply, respond);
  });
}

void Uploads::reply_with_offset(msg::UploadTicket reply,
                                const core::Responder<msg::UploadTicket>& respond) {
  const auto look = [folder = folder_, id = reply.upload_id] {
    return core::Result<std::uint64_t>(folder.offset_of(id));
  };
  const auto answer = [reply, respond](const core::Result<std::uint64_t>& offset) mutable {
    reply.offset_bytes = offset.value_or(0);
    respond(std::move(reply));
  };
  workers_.run<std::uint64_t>(loop_, upload_file_deadline, look, answer);
}

void Uploads::finish_upload(const msg::FinishUpload& request, core::Context& context,
                            core::Responder<msg::Image> respond) {
  const auto* upload = store_.read(keys::upload(request.upload_id));
  if (!upload) return respond(core::refuse(ErrorCode::not_found, "no such upload", "upload_id"));
  if (upload->finishes_itself())
    return respond(
        core::refuse(ErrorCode::wrong_state, "the last byte finishes this upload", "upload_id"));
  auto finished = *upload;
  if (!request.md5.empty()) finished.md5 = request.md5;
  if (!request.sha256.empty()) finished.sha256 = request.sha256;
  finish(std::move(finished), context, std::move(respond));
}

void Uploads::finish(StoredUpload upload, core::Context context,
                     core::Responder<msg::Image> respond) {
  if (upload.is_layer()) return publish_layer(upload);
  if (auto allowed = check_new_image(view_, upload.image_id, upload.format, upload.firmware);
      !allowed) {
    if (upload.finishes_itself()) images_.refuse_upload(upload, allowed.error(), context);
    return respond(std::unexpected(allowed.error()));
  }
  images_.publish_upload(std::move(upload), std::move(context), std::move(respond));
}

void Uploads::list_uploads(const msg::ListUploads& request, core::Context&,
                           core::Responder<msg::ImageUploads> respond) {
  if (auto broken = msg::check(request.page)) return respond(std::unexpected(*broken));
  core::PageBuilder<msg::ImageUpload> page(request.page);
  bool is_full = false;
  store_.for_each<StoredUpload>(keys::uploads(), [&](const StoredUpload& upload) {
    if (is_full || upload.upload_id <= request.page.after) return;
    if (!may_see(request.viewer, upload)) return;
    if (!request.upload_id.empty() && request.upload_id != upload.upload_id) return;
    if (!request.image_id.empty() && request.image_id != upload.image_id) return;
    is_full = !page.add(shown_upload(upload, 0, config_.upload_keep_s), upload.upload_id);
  });
  msg::ImageUploads found{.uploads = page.take(), .next = page.next()};
  workers_.run<msg::ImageUploads>(
      loop_, upload_file_deadline,
      [folder = folder_, found = std::move(found)]() mutable -> core::Result<msg::ImageUploads> {
        for (auto& upload : found.uploads)
          upload.offset_bytes = upload.state == UploadState::receiving
                                    ? folder.offset_of(upload.upload_id)
                                    : upload.size_bytes;
        return std::move(found);
      },
      std::move(respond));
}

void Uploads::remove_upload(const msg::RemoveUpload& request, core::Context&,
                            core::Responder<msg::Done> respond) {
  const auto* upload = store_.read(keys::upload(request.upload_id));
  if (!upload || !may_see(request.viewer, *upload))
    return respond(core::refuse(ErrorCode::not_found, "no such upload", "upload_id"));
  if (upload->state == UploadState::checking)
    return respond(
        core::refuse(ErrorCode::wrong_state, "the upload is being checked", "upload_id"));
  remove_now(request.upload_id, std::move(respond));
}

/// A part that is being written meanwhile finds no upload at its end.
void Uploads::remove_now(const std::string& upload_id, core::Responder<msg::Done> respond) {
  const auto* upload = store_.read(keys::upload(upload_id));
  if (upload && upload->state == UploadState::checking)
    return respond(core::refuse(ErrorCode::wrong_state, "the upload is being checked"));
  auto context = bus_.context();
  auto tx = store_.begin(context);
  tx.remove(keys::upload(upload_id));
  if (auto committed = tx.commit(); !committed) return respond(std::unexpected(committed.error()));
  fetches_.cancel(upload_id);
  store_.when_durable([this, upload_id, respond](const core::Result<void>& durable) {
    if (!durable) return respond(std::unexpected(durable.error()));
    remove_file(upload_id);
    respond(msg::Done{});
  });
}

UploadTarget Uploads::target_of(const StoredUpload& upload) const {
  return {.size_bytes = upload.size_bytes,
          .expires_unix_s = upload.expires_unix_s,
          .is_receiving = upload.state == UploadState::receiving};
}

void Uploads::find(const UploadAccess& access, const UploadCalls::Done<UploadTarget>& done) {
  const auto found = find_now(access);
  if (!found) return done(found);
  check_upload_right(bus_, *store_.read(keys::upload(access.upload_id)),
                     [done, found](const core::Result<void>& right) {
                       done(right ? found : std::unexpected(right.error()));
                     });
}

core::Result<UploadTarget> Uploads::find_now(const UploadAccess& access) const {
  if (!store_.is_loaded())
    return core::refuse(ErrorCode::unavailable, "the image store is loading its records");
  const auto* upload = store_.read(keys::upload(access.upload_id));
  if (!upload || !is_opened_by(*upload, access.ticket))
    return core::refuse(ErrorCode::not_found, "no such upload");
  if (upload->state == UploadState::failed)
    return core::refuse(ErrorCode::forbidden, "the upload has failed: " + upload->reason);
  if (upload->expires_unix_s <= loop_.unix_ms() / 1000)
    return core::refuse(ErrorCode::forbidden, "the upload has expired");
  return target_of(*upload);
}

/// The last byte publishes the image.
void Uploads::note_received(const std::string& upload_id, std::uint64_t offset,
                            const UploadCalls::Done<UploadTarget>& done) {
  const auto* found = store_.is_loaded() ? store_.read(keys::upload(upload_id)) : nullptr;
  if (!found || offset < found->size_bytes || found->state != UploadState::receiving)
    return done(note_now(upload_id, offset));
  check_upload_right(bus_, *found,
                     [this, upload_id, offset, done](const core::Result<void>& right) {
                       done(right ? note_now(upload_id, offset) : std::unexpected(right.error()));
                     });
}

core::Result<UploadTarget> Uploads::note_now(const std::string& upload_id, std::uint64_t offset) {
  if (!store_.is_loaded())
    return core::refuse(ErrorCode::unavailable, "the image store is loading its records");
  const auto* found = store_.read(keys::upload(upload_id));
  if (!found) return core::refuse(ErrorCode::forbidden, "the upload was removed");
  auto upload = *found;
  if (upload.state != UploadState::receiving) return target_of(upload);
  auto context = bus_.context();
  const auto expires = context.now_unix_s() + config_.upload_keep_s;
  if (offset < upload.size_bytes &&
      expires - upload.expires_unix_s < config_.upload_keep_s / expiry_moves_max)
    return target_of(upload);
  upload.expires_unix_s = expires;
  if (offset == upload.size_bytes) upload.state = UploadState::checking;
  auto tx = store_.begin(context);
  tx.write(keys::upload(upload_id), upload);
  if (auto committed = tx.commit(); !committed) return std::unexpected(committed.error());
  if (upload.state == UploadState::checking)
    finish(upload, context, [](const core::Result<msg::Image>&) {});
  return target_of(upload);
}

void Uploads::tidy(core::Context& context) {
  drop_expired(context);
  check_writers({});
  look_at_files();
}

void Uploads::drop_expired(core::Context& context) {
  std::vector<std::string> expired;
  store_.for_each<StoredUpload>(keys::uploads(), [&](const StoredUpload& upload) {
    const auto end = shown_upload(upload, 0, config_.upload_keep_s).expires_unix_s;
    if (end <= context.now_unix_s() && upload.is_fetched()) fetches_.cancel(upload.upload_id);
    if (end <= context.now_unix_s() && !images_.is_publishing(upload.upload_id) &&
        !publishing_layers_.contains(upload.upload_id) && !locks_->is_locked(upload.upload_id))
      expired.push_back(upload.upload_id);
  });
  if (expired.empty()) return;
  auto tx = store_.begin(context);
  for (const auto& upload_id : expired) tx.remove(keys::upload(upload_id));
  if (!tx.commit()) return;
  store_.when_durable([this, expired](const core::Result<void>& durable) {
    if (!durable) return;
    for (const auto& upload_id : expired) remove_file(upload_id);
  });
}

void Uploads::look_at_files() {
  using AllFound = std::vector<UploadFolder::Found>;
  workers_.run<AllFound>(
      loop_, upload_file_deadline,
      [folder = folder_] { return core::Result<AllFound>(folder.list()); },
      [this](const core::Result<AllFound>& found) {
        if (found && store_.is_loaded()) take_found(*found);
      });
}

/// A record is written before its file: what has no record now is not needed any more.
void Uploads::take_found(const std::vector<UploadFolder::Found>& found) {
  for (const auto& [upload_id, offset] : found) {
    const auto* known = store_.read(keys::upload(upload_id));
    if (!known) {
      remove_file(upload_id);
      continue;
    }
    auto upload = *known;
    const bool is_due = upload.state == UploadState::checking ||
                        (upload.state == UploadState::receiving && upload.is_resumable() &&
                         offset == upload.size_bytes);
    if (upload.finishes_itself() && is_due && !images_.is_publishing(upload_id) &&
        !locks_->is_locked(upload_id)) {
      if (upload.state == UploadState::receiving)
        note_received(upload_id, offset, [](const core::Result<UploadTarget>&) {});
      else
        finish(std::move(upload), bus_.context(), [](const core::Result<msg::Image>&) {});
    }
  }
}

void Uploads::remove_file(const std::string& upload_id) {
  workers_.submit([folder = folder_, upload_id] { folder.remove(upload_id); });
}

}  // namespace nucleus::image_store
