// The console service's messages about recordings: what serial consoles printed, in files of the
// format asciicast v2. Docs: docs/consoles.md.
#pragma once

#include <string>
#include <vector>

#include "messages/common.hpp"

namespace nucleus::msg {

//   recording  its file is being written
//   sealed     its file is complete and never changes
//   missing    its file is not there: it was never written, as the disk was full, or it is lost
NUCLEUS_ENUM(RecordingState, recording, sealed, missing)

/// A segment of what a node's serial console printed, of one log.
struct Recording {
  std::string recording_id = {};  // never used again; in the order of their begin
  RecordingState state = RecordingState::unknown;
  ProjectId project_id = {};
  ClusterId cluster_id = {};       // as it was named then
  NodeId node_id = {};             // never used again
  std::string node_name = {};      // as it was named then
  std::string log_id = {};         // of the node's log
  std::uint64_t begin_offset = 0;  // of the first byte in the log
  std::uint64_t end_offset = 0;    // after the last byte
  std::uint64_t lost_bytes = 0;    // of those between, that are not in the file
  std::int64_t begin_unix_ms = 0;
  std::int64_t end_unix_ms = 0;     // 0 = it is being recorded
  std::uint64_t size_bytes = 0;     // of the file
  bool is_end_inferred = false;     // the service crashed: the end is that of the last whole line
  std::int64_t expires_unix_s = 0;  // it is removed then; 0 = not known yet
  NUCLEUS_FIELDS(recording_id, state, project_id, cluster_id, node_id, node_name, log_id,
                 begin_offset, end_offset, lost_bytes, begin_unix_ms, end_unix_ms, size_bytes,
                 is_end_inferred, expires_unix_s);
};

struct Recordings {
  std::vector<Recording> recordings = {};  // oldest first
  std::string next = {};                   // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(recordings, next);
};

struct ListRecordings {
  static constexpr std::string_view topic = "console.list-recordings";
  using Reply = Recordings;
  Viewer viewer = {};
  ProjectId project_id = {};      // empty = of all projects
  ClusterId cluster_id = {};      // empty = of all clusters
  std::string node_name = {};     // empty = of all nodes
  std::string recording_id = {};  // if set, this one alone, or `not_found`
  Page page = {};
  NUCLEUS_FIELDS(viewer, project_id, cluster_id, node_name, recording_id, page);
};

/// Removes a recording and its file. `wrong_state` while it is being recorded.
struct RemoveRecording {
  static constexpr std::string_view topic = "console.remove-recording";
  using Reply = Done;
  std::string recording_id = {};
  Viewer viewer = {};
  NUCLEUS_FIELDS(recording_id, viewer);
};

constexpr std::uint32_t recording_part_bytes_max = 256 * 1024;

struct RecordingPart {
  std::string bytes = {};  // of the file; empty = its end
  NUCLEUS_FIELDS(bytes);
};

/// Reads a part of a recording's file. `wrong_state` if the file is missing.
struct ReadRecording {
  static constexpr std::string_view topic = "console.read-recording";
  using Reply = RecordingPart;
  std::string recording_id = {};
  Viewer viewer = {};
  std::uint64_t offset = 0;  // in the file
  NUCLEUS_FIELDS(recording_id, viewer, offset);
};

/// Event: a recording has begun, was sealed, or its file was found missing.
struct RecordingChanged {
  static constexpr std::string_view topic = "console.recording-changed";
  Recording recording = {};
  NUCLEUS_FIELDS(recording);
};

/// Event: a recording was removed, because of its age or by request.
struct RecordingRemoved {
  static constexpr std::string_view topic = "console.recording-removed";
  Recording recording = {};
  NUCLEUS_FIELDS(recording);
};

}  // namespace nucleus::msg
