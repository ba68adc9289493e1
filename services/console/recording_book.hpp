// The recordings of consoles: lists, reads and removes them, and keeps their records like their
// files. On the service's loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/runtime/runtime.hpp"
#include "messages/recordings.hpp"
#include "services/console/config.hpp"
#include "services/console/driver/recorder.hpp"
#include "services/console/metrics.hpp"

namespace nucleus::console {

class RecordingBook {
 public:
  RecordingBook(core::Runtime& runtime, const RecordingRules& rules, Metrics& metrics);

  /// Null: there is no folder, and nothing is recorded.
  Recorder* recorder() { return recorder_.get(); }
  RecordedUpTo recorded_up_to(const msg::NodeId& node_id) const;
  /// Calls `action` once what a crashed process has left is sealed: before that, up to where a log
  /// is recorded is not known.
  void when_known(std::function<void()> action);

 private:
  core::Result<msg::Recordings> list(const msg::ListRecordings& request, core::Context& context);
  void read(const msg::ReadRecording& request, core::Context& context,
            core::Responder<msg::RecordingPart> respond);
  void remove(const msg::RemoveRecording& request, core::Context& context,
              core::Responder<msg::Done> respond);
  core::Result<msg::Recording> find(const std::string& id, const msg::Viewer& viewer) const;
  std::int64_t end_of_age_ms(const msg::Recording& recording) const;
  msg::Recording shown(msg::Recording recording) const;

  void store(const std::vector<msg::Recording>& changed);
  /// Removes the file, then the record.
  void remove_file(const std::string& id, const core::Responder<msg::Done>& respond);
  core::Result<void> forget(const std::string& id);
  void reconcile();
  void take_scan(const FolderScan& scan);
  void note(const msg::Recording& recording);
  void remove_old(core::Context& context);
  void sync(core::Context& context);

  core::Runtime& runtime_;
  const RecordingRules rules_;
  struct Newest {
    std::string recording_id = {};
    RecordedUpTo end = {};
  };
  std::map<msg::NodeId, Newest> newest_ = {};
  bool is_scanned_ = false;
  std::vector<std::function<void()>> waiting_ = {};             // for the first scan
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // what is posted later checks it
  std::unique_ptr<Recorder> recorder_ = {};
};

}  // namespace nucleus::console
