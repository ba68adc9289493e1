// Saves of disks that hosts keep: the host seals the disk, the image store begins to receive it,
// the host sends it, and learns what it was published as. Each step is asked for until it is done;
// which one is next is found again after a restart. Runs on the loop.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "core/bus/bus.hpp"
#include "core/state/store.hpp"
#include "messages/layers.hpp"
#include "services/scheduler/ledger.hpp"
#include "services/scheduler/plan/disk_work.hpp"
#include "services/scheduler/view.hpp"

namespace nucleus::scheduler {

class HostSaves {
 public:
  HostSaves(core::Bus& bus, core::Store& store, View& view, Ledger& ledger)
      : bus_{bus}, store_{store}, view_{view}, ledger_{ledger} {}

  /// Takes the next step of each save.
  void step();
  /// Call when the records were loaded.
  void restart() { progress_.clear(); }

 private:
  /// What is known of a save besides its record.
  struct Progress {
    bool is_called = false;  // a step is under way
    msg::SealedDisk sealed = {};
    msg::UploadTicket upload = {};
    bool is_sent = false;
  };

  void step(const HostSave& save, Progress& progress);
  void seal(const HostSave& save);
  void receive(const HostSave& save, const msg::SealedDisk& sealed);
  void send(const HostSave& save, const msg::UploadTicket& upload);
  void tell_content(const HostSave& save);
  void when_recorded(const HostSave& save, std::function<void()> ask);
  /// Passes the reply on, with what is known of the save, if it goes on.
  template <class Reply>
  std::function<void(const core::Result<Reply>&)> taken(
      const HostSave& save, std::function<void(Progress&, const core::Result<Reply>&)> take);
  void show(const HostSave& save, const std::string& reason);
  void end(const HostSave& save, const std::string& reason, bool is_continued = false);

  core::Bus& bus_;
  core::Store& store_;
  View& view_;
  Ledger& ledger_;
  std::map<std::string, Progress> progress_ = {};  // by work id
};

}  // namespace nucleus::scheduler
