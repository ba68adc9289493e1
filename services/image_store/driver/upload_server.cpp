#include "services/image_store/driver/upload_server.hpp"

namespace nucleus::image_store {

namespace http = core::http;
using core::ErrorCode;

namespace {

constexpr std::size_t upload_workers = 4;

http::Headers progress_headers(std::uint64_t offset, const UploadTarget& target) {
  return {{"Upload-Offset", std::to_string(offset)},
          {"Upload-Expires", http_date(target.expires_unix_s)}};
}

core::Error locked() {
  return {.code = ErrorCode::wrong_state, .detail = "another request writes to this upload"};
}

http::Response render_fault(int status, const std::string& detail, const std::string&) {
  return tus_refusal(status, detail);
}

}  // namespace

UploadHandler::UploadHandler(const UploadRules& rules, Metrics& metrics, UploadFolder folder,
                             std::shared_ptr<UploadLocks> locks, UploadCalls calls)
    : rules_{rules},
      metrics_{metrics},
      folder_{std::move(folder)},
      locks_{std::move(locks)},
      calls_{std::move(calls)},
      workers_{std::make_shared<core::ThreadWorkers>(upload_workers)} {}

UploadHandler::~UploadHandler() {
  workers_->stop();
}

bool UploadHandler::is_part(const http::Request& request) {
  return tus_method(request) == "PATCH";
}

http::Respond UploadHandler::with_origin(const http::Request& request,
                                         http::Respond respond) const {
  if (rules_.origins.empty()) return respond;
  return [request =
              http::Request{
                  .method = request.method, .headers = request.headers, .is_head = request.is_head},
          origins = rules_.origins, respond = std::move(respond)](http::Response response) {
    allow_origin(request, origins, response);
    respond(std::move(response));
  };
}

void UploadHandler::plan_part(const http::Request& request, const Planned& done) {
  plan(request, [done, refuse = with_origin(request, done)](
                    std::variant<http::BodyPlan, http::Response> planned) {
    if (auto* refusal = std::get_if<http::Response>(&planned)) return refuse(std::move(*refusal));
    done(std::move(planned));
  });
}

void UploadHandler::plan(const http::Request& request, const Planned& done) {
  const auto access = parse_access(request);
  if (!access) return done(tus_refusal(access.error()));
  auto part = parse_part(request, access->upload_id);
  if (!part) return done(tus_refusal(part.error()));
  calls_.find(*access, [done, part = std::move(*part), folder = folder_, locks = locks_,
                        workers = std::weak_ptr(workers_)](
                           const core::Result<UploadTarget>& target) mutable {
    if (!target) return done(tus_refusal(target.error()));
    if (!target->is_receiving || part.offset > target->size_bytes)
      return done(tus_refusal(409, "the upload has received all its bytes"));
    auto lock = locks->try_lock(part.upload_id);
    if (!lock) return done(tus_refusal(locked()));
    const auto running = workers.lock();
    if (!running) return;
    const auto left = target->size_bytes - part.offset;
    running->submit([done, folder, left, lock, part = std::move(part)] {
      auto writer = UploadWriter::open(folder, part, lock);
      if (!writer) return done(tus_refusal(writer.error()));
      done(http::BodyPlan{.sink = *writer, .bytes_max = left, .context = *writer});
    });
  });
}

void UploadHandler::handle(const http::Request& request, const std::shared_ptr<void>& context,
                           const http::Respond& respond) {
  const auto answered = with_origin(request, respond);
  if (context) return finish_part(std::static_pointer_cast<UploadWriter>(context), answered);
  answer(request, answered);
}

void UploadHandler::answer(const http::Request& request, const http::Respond& respond) {
  const auto method = tus_method(request);
  if (method == "OPTIONS") return respond(tus_options(rules_.size_bytes_max));
  if (method != "HEAD" && method != "DELETE")
    return respond(tus_refusal(405, "only OPTIONS, HEAD, PATCH and DELETE"));
  const auto access = parse_access(request);
  if (!access) return respond(tus_refusal(access.error()));
  if (method == "HEAD") return show(*access, respond);
  remove(*access, respond);
}

void UploadHandler::finish_part(const std::shared_ptr<UploadWriter>& writer,
                                const http::Respond& respond) {
  workers_->submit([writer, respond, &metrics = metrics_, received = calls_.received] {
    const auto offset = writer->finish();
    if (!offset) return respond(tus_refusal(offset.error()));
    metrics.bytes_received.Increment(static_cast<double>(writer->written_bytes()));
    received(writer->upload_id(), *offset,
             [respond, offset](const core::Result<UploadTarget>& target) {
               if (!target) return respond(tus_refusal(target.error()));
               respond(tus_response(204, progress_headers(*offset, *target)));
             });
  });
}

void UploadHandler::show(const UploadAccess& access, const http::Respond& respond) {
  calls_.find(access,
              [access, respond, folder = folder_, locks = locks_,
               workers = std::weak_ptr(workers_)](const core::Result<UploadTarget>& target) {
                if (!target) return respond(tus_refusal(target.error()));
                const auto running = workers.lock();
                if (!running) return;
                running->submit([target = *target, respond, folder, locks, id = access.upload_id] {
                  // While a part is being written, nobody can say where the next one has to begin.
                  if (target.is_receiving && locks->is_locked(id))
                    return respond(tus_refusal(locked()));
                  auto headers = progress_headers(
                      target.is_receiving ? folder.offset_of(id) : target.size_bytes, target);
                  headers["Upload-Length"] = std::to_string(target.size_bytes);
                  respond(tus_response(200, std::move(headers)));
                });
              });
}

void UploadHandler::remove(const UploadAccess& access, const http::Respond& respond) {
  calls_.find(access, [access, respond, locks = locks_,
                       remove = calls_.remove](const core::Result<UploadTarget>& target) {
    if (!target) return respond(tus_refusal(target.error()));
    const auto lock = locks->try_lock(access.upload_id);
    if (!lock) return respond(tus_refusal(locked()));
    remove(access.upload_id, [respond, lock](const core::Result<msg::Done>& removed) {
      if (!removed) return respond(tus_refusal(removed.error()));
      respond(tus_response(204));
    });
  });
}

UploadServer::UploadServer(http::ServerOptions options, std::shared_ptr<UploadHandler> handler)
    : handler_{std::move(handler)} {
  options.render_error = render_fault;
  server_ = std::make_unique<http::Server>(
      std::move(options),
      [this](const http::Request& request, const std::shared_ptr<void>& context,
             const http::Respond& respond) { handler_->handle(request, context, respond); },
      UploadHandler::is_part,
      [this](const http::Request& request, const UploadHandler::Planned& done) {
        handler_->plan_part(request, done);
      });
  server_->start();
}

}  // namespace nucleus::image_store
