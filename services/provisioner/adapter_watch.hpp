// The InfiniBand adapters that this host offers, read from sysfs again and again: cards and VFs
// come and go while the host is up. Runs on the service's loop; sysfs is read on a worker.
#pragma once

#include "core/loop/context.hpp"
#include "services/provisioner/config.hpp"
#include "services/provisioner/metrics.hpp"

namespace nucleus::provisioner {

class AdapterWatch {
 public:
  AdapterWatch(core::Loop& loop, core::Workers& workers, const Config& config, Metrics& metrics)
      : loop_{loop}, workers_{workers}, config_{config}, metrics_{metrics} {}

  /// Begins to read, unless that is under way or there is nothing to read.
  void look(core::Context& context);
  /// As they were read last.
  const FoundAdapters& found() const { return found_; }

 private:
  void take(core::Result<FoundAdapters> found);

  core::Loop& loop_;
  core::Workers& workers_;
  const Config& config_;
  Metrics& metrics_;
  FoundAdapters found_ = {};
  bool is_looking_ = false;
};

}  // namespace nucleus::provisioner
