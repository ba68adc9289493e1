// The volumes that a host keeps itself: disks that are read from the image store as far as their
// guests need them, and copies of whole files. Calls block, so they run on workers; they may be
// repeated, or cut off at any point.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "services/provisioner/driver/file_digest.hpp"
#include "services/provisioner/driver/host_chunks.hpp"
#include "services/provisioner/driver/hypervisor.hpp"
#include "services/provisioner/driver/layer_sender.hpp"
#include "services/provisioner/driver/store_reader.hpp"
#include "services/provisioner/volume_plan.hpp"

namespace nucleus::provisioner {

class LocalVolumes {
 public:
  struct Options {
    std::string volumes_directory = {};
    std::string copies_directory = {};
    std::string ca_file = {};    // verifies the image store
    std::string store_url = {};  // https://ADDRESS:PORT of the image store
    QemuUser user = {};
    std::chrono::milliseconds copy_timeout{};  // then `prepare` fails, and goes on when repeated
    std::int64_t send_bytes_per_s_max = 0;     // of each layer; 0 = no limit
  };
  /// A node whose disk is here and in use.
  struct RunningNode {
    std::shared_ptr<Hypervisor> hypervisor = {};
    std::string domain = {};  // its name
    std::uint64_t disk_bytes = 0;
  };
  /// The right to change the files of one node's disk; it ends with the object.
  using Claim = std::shared_ptr<void>;

  /// Without `chunks`, bases are read from the image store.
  explicit LocalVolumes(Options options, std::shared_ptr<HostChunks> chunks = {});

  /// Null while another call changes the files of the node's disk. Does not block.
  Claim claim(const msg::NodeId& node_id);

  /// Makes what the domain of the node needs: copies, the disk unless it exists, the server of its
  /// base. `unavailable`: the image store does not answer, or has not sent all yet.
  core::Result<void> prepare(const HostVolume& volume);

  /// Seals the node's disk; it may have no domain. Needs the claim, as `keep_layer` does. Reading
  /// the whole file does not block: the disk is not sealed until its digest is known.
  core::Result<msg::SealedDisk> seal(const Claim& claim, const msg::SealDisk& request);
  /// The same of a node whose domain runs and goes on.
  core::Result<msg::SealedDisk> seal_running(const Claim& claim, const msg::SealDisk& request,
                                             const RunningNode& node);
  /// Sends the sealed disk; does not wait for the end.
  core::Result<msg::LayerSent> send_layer(const Claim& claim, const msg::SendLayer& request);

  /// Call before the volumes for `serve` are looked up.
  std::uint64_t begin_serve() { return ++now_; }
  struct Needed {
    HostVolume volume = {};   // whose disk has a base
    bool is_running = false;  // its domain runs; else it is about to be created
  };
  /// Starts the servers that domains which run lack. If `is_complete`, ends those of volumes that
  /// are not needed, except those started since `begun`.
  void serve(const std::vector<Needed>& needed, std::uint64_t begun, bool is_complete);

  /// Of the running nodes, those whose images are not complete on this host.
  std::vector<msg::ImageCopy> image_copies() const;
  /// The nodes of which is recorded what they read of their images until they are ready.
  std::set<msg::NodeId> booting() const;
  /// The node is ready: its guest agent has answered.
  void set_ready(const msg::NodeId& node_id);

  /// Deletes the node's disk for ever, with its layers. Succeeds if there is none.
  core::Result<void> remove(const msg::NodeId& node_id);

 private:
  struct Claims {
    std::mutex mutex = {};
    std::set<msg::NodeId> nodes = {};
  };

  core::Result<void> prepare_disk(StoreReader& reader, const HostVolume& volume,
                                  std::chrono::steady_clock::time_point end);
  core::Result<void> copy(StoreReader& reader, const FileCopy& file,
                          std::chrono::steady_clock::time_point end);
  core::Result<void> check_base(StoreReader& reader, const HostVolume& volume);
  core::Result<void> start_server(const HostVolume& volume);
  void follow_nodes(const std::vector<Needed>& needed, std::uint64_t begun);
  core::Result<msg::SealedDisk> digest_sealed(const msg::SealDisk& request,
                                              const std::string& sealed);
  std::string directory_of(const msg::NodeId& node_id) const;

  Options options_;
  std::shared_ptr<HostChunks> chunks_;
  std::atomic<std::uint64_t> now_ = 0;
  std::shared_ptr<Claims> claims_ = std::make_shared<Claims>();
  std::mutex mutex_ = {};
  std::set<std::string> copying_ = {};                 // paths; guarded by mutex_
  std::mutex servers_mutex_ = {};                      // held while one is started or ended
  std::map<std::string, std::uint64_t> started_ = {};  // by directory; guarded by it
  FileDigests digests_ = {};                           // of sealed disks
  LayerSender sender_;
};

LocalVolumes::Options volume_options(const Config& config);

}  // namespace nucleus::provisioner
