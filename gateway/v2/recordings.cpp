// v2: recordings of consoles.
#include "messages/recordings.hpp"

#include "gateway/events/stream_slots.hpp"
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"

namespace nucleus::gateway {

namespace {

constexpr std::size_t queued_bytes_max = 256 * 1024;  // for one client, beside a part
constexpr StreamSlots::Limits downloads{.all = 64, .per_person = 8, .reserved = 8};
constexpr core::Milliseconds drain_look{20};

msg::ListRecordings one_of_path(const Exchange& exchange) {
  return {.viewer = msg::viewer_of(exchange.who), .recording_id = exchange.path.at("recording")};
}

void list_recordings(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  msg::ListRecordings request{.viewer = msg::viewer_of(exchange->who), .page = *page};
  for (const auto& [name, field] :
       {std::pair<const char*, std::string*>{"project_id", &request.project_id.value},
        {"cluster_id", &request.cluster_id.value},
        {"node_name", &request.node_name}}) {
    auto filter = read_filter(*exchange, name);
    if (!filter) return exchange->refuse(filter.error());
    *field = std::move(*filter);
  }
  exchange->ask(request, [exchange](const msg::Recordings& found) {
    reply_list(exchange, "recordings", found.recordings, found.next);
  });
}

void get_recording(const ExchangePtr& exchange) {
  exchange->ask(one_of_path(*exchange), [exchange](const msg::Recordings& found) {
    reply_one(exchange, 200, json_of(found.recordings.front()));
  });
}

void remove_recording(const ExchangePtr& exchange) {
  exchange->ask(msg::RemoveRecording{.recording_id = exchange->path["recording"],
                                     .viewer = msg::viewer_of(exchange->who)},
                [exchange](const msg::Done&) { exchange->reply_nothing(); });
}

/// Sends a file of known size part by part, each only while the right to it lasts. A client that
/// reads slowly is waited for: no more than a part and `queued_bytes_max` are in memory.
class Download : public std::enable_shared_from_this<Download> {
 public:
  Download(core::Loop& loop, core::Bus& bus, const msg::Recording& recording,
           const Exchange& exchange, StreamSlots::Slot slot)
      : loop_{loop},
        bus_{bus},
        request_{.recording_id = recording.recording_id},
        size_{recording.size_bytes},
        credential_{.person_id = exchange.who.person_id,
                    .token_id = exchange.who.token_id,
                    .person_uid = exchange.who.person_uid},
        trace_id_{exchange.id()},
        slot_{std::move(slot)} {}

  /// On the server's thread.
  void open(std::shared_ptr<core::http::Stream> to) {
    to_ = std::move(to);
    loop_.post([self = shared_from_this()] { self->read(); });
  }

 private:
  void read() {
    if (!to_->is_open()) return;
    if (to_->queued_bytes() > (request_.offset < size_ ? queued_bytes_max : 0))
      return loop_.after(drain_look, [self = shared_from_this()] { self->read(); });
    if (request_.offset >= size_) return to_->close();
    bus_.call(credential_, {.trace_id = trace_id_},
              [self = shared_from_this()](const core::Result<msg::Principal>& who) {
                if (!who || !msg::may(*who, msg::Right::console)) return self->to_->close();
                self->read_as(msg::viewer_of(*who));
              });
  }
  void read_as(msg::Viewer viewer) {
    request_.viewer = std::move(viewer);
    bus_.call(request_, {.trace_id = trace_id_},
              [self = shared_from_this()](core::Result<msg::RecordingPart> part) {
                self->take(std::move(part));
              });
  }
  /// The client finds out that bytes are missing by Content-Length.
  void take(core::Result<msg::RecordingPart> part) {
    if (!part || part->bytes.empty()) return to_->close();
    part->bytes.resize(std::min<std::size_t>(part->bytes.size(), size_ - request_.offset));
    request_.offset += part->bytes.size();
    if (to_->send(std::move(part->bytes))) read();
  }

  core::Loop& loop_;
  core::Bus& bus_;
  msg::ReadRecording request_;
  std::uint64_t size_;
  msg::RecheckCredential credential_;
  std::string trace_id_;
  StreamSlots::Slot slot_;
  std::shared_ptr<core::http::Stream> to_ = {};
};

void download_recording(core::Runtime& runtime, const std::shared_ptr<StreamSlots>& slots,
                        const ExchangePtr& exchange) {
  exchange->ask(one_of_path(*exchange), [&runtime, slots, exchange](const msg::Recordings& found) {
    const auto& recording = found.recordings.front();
    if (recording.state != msg::RecordingState::sealed)
      return exchange->refuse(core::ErrorCode::wrong_state,
                              recording.state == msg::RecordingState::recording
                                  ? "it is being recorded: read it after the console is closed"
                                  : "the recording's file is missing",
                              "recording_id");
    auto slot = slots->take(exchange->who);
    if (!slot)
      return exchange->refuse(core::ErrorCode::no_capacity, "too many downloads; try again");
    const auto name = recording.node_name + "-" + recording.recording_id + ".cast";
    const auto download = std::make_shared<Download>(runtime.loop, runtime.bus, recording,
                                                     *exchange, std::move(slot));
    exchange->respond(
        {.status = 200,
         .headers = {{"Content-Type", "application/x-asciicast"},
                     {"Content-Length", std::to_string(recording.size_bytes)},
                     {"Content-Disposition", "attachment; filename=\"" + msg::shown(name) + "\""},
                     {"X-Content-Type-Options", "nosniff"},
                     {"Cache-Control", "no-store"}},
         .on_open = [download](std::shared_ptr<core::http::Stream> to) {
           download->open(std::move(to));
         }});
  });
}

}  // namespace

void add_v2_recording_routes(Router& router, core::Runtime& runtime, EventStreams& streams) {
  const std::string one = "/v2/recordings/{recording}";
  router
      .add("GET", "/v2/recordings", msg::Right::read,
           watchable<msg::RecordingChanged, msg::RecordingRemoved>(streams, list_recordings))
      .takes_page()
      .takes({"project_id", "cluster_id", "node_name", "watch"});
  router.add("GET", one, msg::Right::read, get_recording).takes({"fields"});
  router.add("GET", one + "/content", msg::Right::console,
             [&runtime, slots = std::make_shared<StreamSlots>(downloads)](
                 const ExchangePtr& exchange) { download_recording(runtime, slots, exchange); });
  router.add("DELETE", one, msg::Right::define, remove_recording);
}

}  // namespace nucleus::gateway
