#include "services/console/recording_book.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "core/files/files.hpp"
#include "core/list/page_builder.hpp"
#include "core/log/log.hpp"
#include "services/console/driver/segment.hpp"
#include "services/console/keys.hpp"

namespace nucleus::console {

using core::ErrorCode;
using msg::RecordingState;

namespace {

constexpr core::Milliseconds remove_old_every{60'000};
constexpr core::Milliseconds sync_every{1'000};  // a machine that loses power loses no more
constexpr core::Milliseconds read_timeout{5'000};
constexpr std::size_t changes_max = 500;  // in one commit
constexpr std::size_t removed_max = 100;  // at a time
constexpr std::int64_t ms_per_day = 86'400'000;

std::unexpected<core::Error> no_such_recording() {
  return core::refuse(ErrorCode::not_found, "no such recording", "recording_id");
}

core::Result<msg::RecordingPart> read_part(const std::filesystem::path& folder,
                                           const std::string& id, std::uint64_t offset) {
  for (const auto& path : {sealed_file(folder, id), part_file(folder, id)}) {
    const core::Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file.is_open()) continue;
    msg::RecordingPart part{.bytes = std::string(msg::recording_part_bytes_max, '\0')};
    const auto count =
        pread(file.number(), part.bytes.data(), part.bytes.size(), static_cast<off_t>(offset));
    if (count < 0) return core::refuse_errno("the recording's file");
    part.bytes.resize(static_cast<std::size_t>(count));
    return part;
  }
  return core::refuse(ErrorCode::wrong_state, "the recording's file is missing");
}

}  // namespace

RecordingBook::RecordingBook(core::Runtime& runtime, const RecordingRules& rules, Metrics& metrics)
    : runtime_{runtime}, rules_{rules} {
  runtime_.bus.serve<msg::ListRecordings>(*this, &RecordingBook::list);
  runtime_.bus.serve_later<msg::ReadRecording>(*this, &RecordingBook::read);
  runtime_.bus.serve_later<msg::RemoveRecording>(*this, &RecordingBook::remove);
  runtime_.store.on_loaded([this] {
    newest_.clear();
    runtime_.store.for_each<StoredRecording>(
        keys::recordings(), [this](const StoredRecording& stored) { note(stored.recording); });
    reconcile();
  });
  if (rules_.folder.empty()) return;
  runtime_.bus.every(remove_old_every, *this, &RecordingBook::remove_old);
  runtime_.bus.every(sync_every, *this, &RecordingBook::sync);
  recorder_ = std::make_unique<Recorder>(
      rules_.folder, RecorderLimits{}, metrics,
      [this, alive = std::weak_ptr(alive_)](const msg::Recording& recording) {
        runtime_.loop.post([this, alive, recording] {
          if (alive.lock()) store({recording});
        });
      });
}

RecordedUpTo RecordingBook::recorded_up_to(const msg::NodeId& node_id) const {
  const auto found = newest_.find(node_id);
  return found == newest_.end() ? RecordedUpTo{} : found->second.end;
}

void RecordingBook::when_known(std::function<void()> action) {
  if (!recorder_ || is_scanned_) return action();
  waiting_.push_back(std::move(action));
}

/// Ids are in the order of their begin.
void RecordingBook::note(const msg::Recording& recording) {
  auto& newest = newest_[recording.node_id];
  if (recording.recording_id < newest.recording_id) return;
  newest = {.recording_id = recording.recording_id,
            .end = {.log_id = recording.log_id, .offset = recording.end_offset}};
}

std::int64_t RecordingBook::end_of_age_ms(const msg::Recording& recording) const {
  return std::max(recording.begin_unix_ms, recording.end_unix_ms) + rules_.days * ms_per_day;
}

msg::Recording RecordingBook::shown(msg::Recording recording) const {
  if (recording.state != RecordingState::recording)
    recording.expires_unix_s = end_of_age_ms(recording) / 1000;
  return recording;
}

core::Result<msg::Recording> RecordingBook::find(const std::string& id,
                                                 const msg::Viewer& viewer) const {
  // The id is a part of a file's name.
  const auto* found = msg::is_name(id) ? runtime_.store.read(keys::recording(id)) : nullptr;
  if (!found || !msg::sees(viewer, found->recording.project_id)) return no_such_recording();
  return found->recording;
}

core::Result<msg::Recordings> RecordingBook::list(const msg::ListRecordings& request,
                                                  core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  if (const auto& after = request.page.after; !after.empty() && !msg::is_name(after))
    return std::unexpected(msg::invalid("after", "after is not a cursor of this list"));
  if (!request.recording_id.empty()) {
    const auto found = find(request.recording_id, request.viewer);
    if (!found) return std::unexpected(found.error());
    return msg::Recordings{.recordings = {shown(*found)}};
  }
  const auto is_wanted = [&](const msg::Recording& one) {
    return msg::sees(request.viewer, one.project_id) && one.recording_id > request.page.after &&
           (request.project_id.empty() || request.project_id == one.project_id) &&
           (request.cluster_id.empty() || request.cluster_id == one.cluster_id) &&
           (request.node_name.empty() || request.node_name == one.node_name);
  };
  core::PageBuilder<msg::Recording> page{request.page};
  runtime_.store.for_each<StoredRecording>(keys::recordings(), [&](const StoredRecording& stored) {
    const auto& one = stored.recording;
    if (page.next().empty() && is_wanted(one)) page.add(shown(one), one.recording_id);
  });
  return msg::Recordings{.recordings = page.take(), .next = page.next()};
}

void RecordingBook::read(const msg::ReadRecording& request, core::Context&,
                         core::Responder<msg::RecordingPart> respond) {
  const auto found = find(request.recording_id, request.viewer);
  if (!found) return respond(std::unexpected(found.error()));
  if (!recorder_ || found->state == RecordingState::missing)
    return respond(core::refuse(ErrorCode::wrong_state, "the recording's file is missing"));
  runtime_.workers.run<msg::RecordingPart>(
      runtime_.loop, read_timeout,
      [folder = recorder_->folder(), id = found->recording_id, offset = request.offset] {
        return read_part(folder, id, offset);
      },
      std::move(respond));
}

void RecordingBook::remove(const msg::RemoveRecording& request, core::Context&,
                           core::Responder<msg::Done> respond) {
  const auto found = find(request.recording_id, request.viewer);
  if (!found) return respond(std::unexpected(found.error()));
  if (found->state == RecordingState::recording)
    return respond(core::refuse(ErrorCode::wrong_state,
                                "it is being recorded: remove it after the console is closed"));
  remove_file(found->recording_id, respond);
}

void RecordingBook::remove_file(const std::string& id, const core::Responder<msg::Done>& respond) {
  const auto done = [this, id, respond](const core::Result<void>& removed) {
    if (!removed) return respond(std::unexpected(removed.error()));
    const auto forgotten = forget(id);
    if (!forgotten) return respond(std::unexpected(forgotten.error()));
    runtime_.store.when_durable([respond](const core::Result<void>& durable) {
      if (!durable) return respond(std::unexpected(durable.error()));
      respond(msg::Done{});
    });
  };
  if (!recorder_) return done({});
  recorder_->remove(id, [this, alive = std::weak_ptr(alive_), done](core::Result<void> removed) {
    runtime_.loop.post([alive, done, removed = std::move(removed)] {
      if (alive.lock()) done(removed);
    });
  });
}

core::Result<void> RecordingBook::forget(const std::string& id) {
  const auto context = runtime_.bus.context();
  auto tx = runtime_.store.begin(context);
  const auto* found = tx.read(keys::recording(id));
  if (!found) return {};
  tx.emit(msg::RecordingRemoved{found->recording});
  tx.remove(keys::recording(id));
  return tx.commit();
}

/// What cannot be stored now is found again by the scan after the next load.
void RecordingBook::store(const std::vector<msg::Recording>& changed) {
  if (!runtime_.store.is_loaded()) return;
  const auto context = runtime_.bus.context();
  for (std::size_t from = 0; from < changed.size(); from += changes_max) {
    auto tx = runtime_.store.begin(context);
    for (std::size_t at = from; at < std::min(changed.size(), from + changes_max); ++at) {
      note(changed[at]);
      tx.write(keys::recording(changed[at].recording_id), StoredRecording{changed[at]});
      tx.emit(msg::RecordingChanged{changed[at]});
    }
    if (!tx.commit()) return;
  }
}

void RecordingBook::reconcile() {
  if (!recorder_) return;
  std::set<std::string> known;
  runtime_.store.for_each<StoredRecording>(keys::recordings(), [&](const StoredRecording& stored) {
    if (stored.recording.state == RecordingState::sealed)
      known.insert(stored.recording.recording_id);
  });
  recorder_->scan(std::move(known), [this, alive = std::weak_ptr(alive_)](FolderScan scan) {
    runtime_.loop.post([this, alive, scan = std::move(scan)] {
      if (alive.lock()) take_scan(scan);
    });
  });
}

void RecordingBook::take_scan(const FolderScan& scan) {
  if (!runtime_.store.is_loaded()) return;
  std::vector<msg::Recording> changed;
  for (const auto& found : scan.found) {
    const auto* known = runtime_.store.read(keys::recording(found.recording_id));
    // The file is the truth; but one that was open has perhaps been sealed since.
    const bool is_news = found.state == RecordingState::sealed
                             ? !known || known->recording != found
                             : !known || known->recording.state == RecordingState::missing;
    if (is_news) changed.push_back(found);
  }
  runtime_.store.for_each<StoredRecording>(keys::recordings(), [&](const StoredRecording& stored) {
    if (!scan.is_complete || stored.recording.state == RecordingState::missing ||
        scan.ids.contains(stored.recording.recording_id))
      return;
    auto missing = stored.recording;
    missing.state = RecordingState::missing;
    if (missing.end_unix_ms == 0) missing.end_unix_ms = missing.begin_unix_ms;
    changed.push_back(std::move(missing));
  });
  for (const auto& one : changed) {
    if (one.state == RecordingState::missing)
      core::log::warning("recording_missing", {{"recording", one.recording_id}});
    if (one.is_end_inferred)
      core::log::warning("recording_end_inferred", {{"recording", one.recording_id}});
  }
  store(changed);
  is_scanned_ = true;
  for (const auto& action : std::exchange(waiting_, {})) action();
}

void RecordingBook::remove_old(core::Context& context) {
  std::vector<std::string> old;
  runtime_.store.for_each<StoredRecording>(keys::recordings(), [&](const StoredRecording& stored) {
    const auto& one = stored.recording;
    if (old.size() < removed_max && one.state != RecordingState::recording &&
        end_of_age_ms(one) <= context.now_unix_ms())
      old.push_back(one.recording_id);
  });
  for (const auto& id : old)
    remove_file(id, [id](const core::Result<msg::Done>& removed) {
      if (!removed)
        core::log::warning("recording_not_removed",
                           {{"recording", id}, {"error", removed.error().detail}});
    });
}

void RecordingBook::sync(core::Context&) {
  recorder_->sync();
}

}  // namespace nucleus::console
