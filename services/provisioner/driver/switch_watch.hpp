// Notices that the host's switch has changed, so that a check that found all right need not be
// repeated every few seconds. The switch tells it of flows by OpenFlow's flow monitor, and of
// bridges, ports and links by OVSDB's monitor (RFC 7047, 4.1.5).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace nucleus::provisioner {

class SwitchWatch {
 public:
  struct Options {
    std::string run_directory = {};  // has the sockets of Open vSwitch
    std::string bridge = {};
  };

  /// Connects on threads of its own, and again whenever the switch has closed a connection.
  explicit SwitchWatch(Options options);
  ~SwitchWatch();
  SwitchWatch(const SwitchWatch&) = delete;
  SwitchWatch& operator=(const SwitchWatch&) = delete;

  /// Grows with each change, and when watching begins or ends. Any thread.
  std::uint64_t changes() const { return changes_; }
  /// Whether `changes` misses nothing now. Any thread.
  bool is_watching() const { return flows_.is_watching && ports_.is_watching; }

 private:
  struct Link {
    std::atomic<bool> is_watching = false;
    int descriptor = -1;  // guarded by mutex_
    std::thread thread = {};
  };

  void run(Link& link, const std::string& path, void (SwitchWatch::*watch)(Link&, std::iostream&));
  void watch_flows(Link& link, std::iostream& stream);
  void watch_ports(Link& link, std::iostream& stream);
  void note(Link& link, bool is_watching);

  std::atomic<std::uint64_t> changes_ = 0;
  std::mutex mutex_ = {};
  std::condition_variable ended_ = {};
  bool is_ending_ = false;
  Link flows_ = {};
  Link ports_ = {};
};

}  // namespace nucleus::provisioner
