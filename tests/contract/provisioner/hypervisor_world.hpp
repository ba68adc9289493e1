// What the hypervisor suite needs of each kind of hypervisor: an instance, specs that it can run,
// and a way to kill a domain from outside. Events are recorded, and awaited with a timeout.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "services/provisioner/driver/domain_xml.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::provisioner {

class HypervisorWorld {
 public:
  virtual ~HypervisorWorld() = default;
  virtual Hypervisor& hypervisor() = 0;
  /// A spec that this world can run, with consoles in its own directory.
  virtual DomainSpec a_spec(const std::string& name) = 0;
  /// Kills the domain from outside; false if this world has no process to kill.
  virtual bool kill_domain(const std::string& name) = 0;
  virtual bool is_simulated() const { return false; }
  /// The path of an empty qcow2 file of 1 MiB for a domain's disk.
  virtual std::string a_disk_file(const std::string& name) { return "/run/" + name; }
  /// A directory for the memory of domains, which need not exist.
  virtual std::string memory_directory() = 0;
  /// Changes a byte of a file of saved memory.
  virtual void damage(const std::string& path) = 0;
};

using MakeWorld = std::unique_ptr<HypervisorWorld> (*)();

std::unique_ptr<HypervisorWorld> make_fake_world();
std::unique_ptr<HypervisorWorld> make_simulated_world();
/// QEMU under a private libvirtd that all worlds of the program share; needs root.
std::unique_ptr<HypervisorWorld> make_qemu_world();

/// Keeps the last state that on_link reported; pings once, for a link that was up before.
class LinkRecord {
 public:
  static constexpr std::chrono::seconds wait_max{20};

  explicit LinkRecord(Hypervisor& hypervisor) : hypervisor_{hypervisor} {
    hypervisor_.on_link([this](const core::Result<void>& link) {
      const std::scoped_lock lock{mutex_};
      is_up_ = link.has_value();
      changed_.notify_all();
    });
    if (hypervisor_.ping()) {
      const std::scoped_lock lock{mutex_};
      is_up_ = true;
    }
  }
  ~LinkRecord() { hypervisor_.on_link({}); }

  /// True once the hypervisor is up (or lost), false on timeout.
  bool await(bool is_up) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, wait_max, [&] { return is_up_ == is_up; });
  }

 private:
  Hypervisor& hypervisor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_up_ = false;
};

/// Keeps the events of on_event, in order.
class EventRecord {
 public:
  static constexpr std::chrono::seconds wait_max{20};

  explicit EventRecord(Hypervisor& hypervisor) : hypervisor_{hypervisor} {
    hypervisor_.on_event([this](const DomainSeen& seen) {
      const std::scoped_lock lock{mutex_};
      events_.push_back(seen);
      changed_.notify_all();
    });
  }
  ~EventRecord() { hypervisor_.on_event({}); }

  /// The first event of this domain in this state; `absent` on timeout.
  DomainSeen await(const std::string& name, DomainState state) {
    std::unique_lock lock{mutex_};
    DomainSeen found{.state = DomainState::absent};
    changed_.wait_for(lock, wait_max, [&] {
      for (const auto& event : events_)
        if (event.name == name && event.state == state) {
          found = event;
          return true;
        }
      return false;
    });
    return found;
  }

  void clear() {
    const std::scoped_lock lock{mutex_};
    events_.clear();
  }

 private:
  Hypervisor& hypervisor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<DomainSeen> events_;
};

}  // namespace nucleus::provisioner
