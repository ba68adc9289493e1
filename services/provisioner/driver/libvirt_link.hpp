// The connection to one libvirt: opened, watched and opened again by a thread of its own, so that
// a libvirtd that ended, restarted or hangs costs a caller a refusal and never its thread.
#pragma once

#include <libvirt/libvirt.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "core/result.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

using LibvirtConnection = std::shared_ptr<virConnect>;
using LibvirtDomain = std::unique_ptr<virDomain, decltype([](virDomain* d) { virDomainFree(d); })>;

/// The calling thread's last error of libvirt, as one of ours.
core::Error libvirt_error();

/// Text that libvirt allocated; empty where it gave none.
std::string take_libvirt_text(char* text);

struct LibvirtLinkHandlers {
  /// A new connection, before anyone else uses it.
  std::function<void(virConnect*)> opened;
  /// A domain changed its state; its epoch is not known here.
  std::function<void(DomainSeen)> changed;
  /// Lost, with why, or there again.
  std::function<void(const core::Result<void>&)> linked;
};

class LibvirtLink {
 public:
  LibvirtLink(std::string uri, LibvirtLinkHandlers handlers);
  /// No handler is called after this returns.
  ~LibvirtLink();
  LibvirtLink(const LibvirtLink&) = delete;
  LibvirtLink& operator=(const LibvirtLink&) = delete;

  /// The open connection; `unavailable` at once where it failed to open, within a second where
  /// libvirtd does not answer.
  core::Result<LibvirtConnection> use();

  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace nucleus::provisioner
