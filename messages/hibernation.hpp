// Hibernation of computesets: the memory of their nodes is saved, and their hosts are free until
// they are resumed.
#pragma once

#include "messages/scheduler.hpp"

namespace nucleus::msg {

/// Saves the memory of all nodes of a running computeset and frees its hosts. It is charged until
/// the last node is off. A node whose memory cannot be saved is shut down, and boots when the
/// computeset is resumed. One that the viewer does not see is `not_found`; `wrong_state` unless it
/// runs.
struct HibernateComputeset {
  static constexpr std::string_view topic = "scheduler.hibernate-computeset";
  using Reply = Computeset;
  ComputesetId computeset_id = 0;
  Viewer viewer = {};
  NUCLEUS_FIELDS(computeset_id, viewer);
};

/// Starts a hibernated computeset again: it waits for hosts like a new one. Its walltime goes on
/// where it was.
struct ResumeComputeset {
  static constexpr std::string_view topic = "scheduler.resume-computeset";
  using Reply = Computeset;
  ComputesetId computeset_id = 0;
  Viewer viewer = {};
  NUCLEUS_FIELDS(computeset_id, viewer);
};

}  // namespace nucleus::msg
