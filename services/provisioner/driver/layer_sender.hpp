// Sends layers of disks to the image store by tus 1.0 over HTTPS, on threads of its own, so that
// nothing waits behind them. Any thread.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/files/descriptor.hpp"
#include "core/loop/posix_loop.hpp"
#include "messages/provisioner.hpp"

namespace nucleus::provisioner {

struct LayerUpload {
  std::string url = {};     // https
  std::string ticket = {};  // the bearer token
};

class LayerSender {
 public:
  struct Options {
    std::string ca_file = {};          // verifies the image store
    std::int64_t bytes_per_s_max = 0;  // of each layer; 0 = no limit
  };

  explicit LayerSender(Options options) : options_{std::move(options)} {}
  ~LayerSender();
  LayerSender(const LayerSender&) = delete;
  LayerSender& operator=(const LayerSender&) = delete;

  /// Begins to send the file, unless that is under way or done, and returns how far it is. The
  /// reason of a failure is returned once; the next call begins again where the store's offset is.
  /// A node has one transfer: another file or upload takes the place of the earlier one.
  core::Result<msg::LayerSent> send(const msg::NodeId& node_id, const std::string& path,
                                    const LayerUpload& upload);
  /// The node's transfer ends soon, and reads a file that may change from now on no further.
  void cancel(const msg::NodeId& node_id);

 private:
  struct Transfer {
    explicit Transfer(int opened) : file{opened} {}
    msg::NodeId node_id = {};
    std::string path = {};
    LayerUpload upload = {};
    core::Descriptor file;
    std::uint64_t size_bytes = 0;
    std::atomic<std::uint64_t> sent_bytes = 0;
    std::atomic<bool> is_cancelled = false;
    std::atomic<bool> is_under_way = true;
    std::atomic<bool> is_complete = false;
    std::string reason = {};  // set before is_under_way ends
  };
  void run(Transfer& transfer) const;

  const Options options_;
  std::mutex mutex_ = {};
  std::map<msg::NodeId, std::shared_ptr<Transfer>> transfers_ = {};  // guarded by mutex_
  core::ThreadWorkers workers_{2};                                   // last: they use the others
};

}  // namespace nucleus::provisioner
