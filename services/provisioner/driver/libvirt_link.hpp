// The connection to one libvirt: opened, watched and reopened on threads of its own, so that a
// libvirtd that exits, restarts or hangs costs a caller an error and never its thread.
#pragma once

#include <libvirt/libvirt.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

using LibvirtConnection = std::shared_ptr<virConnect>;

/// Called under a lock that the destructor takes too; they must not block.
struct LibvirtLinkHandlers {
  /// A connection was opened, and these domains run. Called before anyone else uses it and before
  /// the first `changed` of that connection.
  std::function<void(const std::vector<DomainSeen>&)> opened;
  /// A domain changed its state; its epoch is not set.
  std::function<void(DomainSeen)> changed;
  /// The link is up, or was lost, with the reason.
  std::function<void(const core::Result<void>&)> linked;
};

class LibvirtLink {
 public:
  LibvirtLink(std::string uri, LibvirtLinkHandlers handlers);
  /// No handler is called after this returns. Does not wait for a hanging libvirtd.
  ~LibvirtLink();
  LibvirtLink(const LibvirtLink&) = delete;
  LibvirtLink& operator=(const LibvirtLink&) = delete;

  /// A connection that no other thread uses until it is released. `unavailable`: at once if the
  /// last attempt to connect failed, within a second if the first is still under way.
  core::Result<LibvirtConnection> use();

  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace nucleus::provisioner
