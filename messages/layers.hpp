// Layers of disks that hosts keep: the image store receives what a host has sealed.
#pragma once

#include "messages/image_store.hpp"

namespace nucleus::msg {

/// The scheduler: a host has sealed the disk of this node for a save, and will send it to the URL
/// of the reply, with its ticket. May be repeated: each reply has a new ticket. Without a URL: all
/// bytes have arrived. The end of the work is reported by `VolumePlaced`, as that of `WorkOnDisk`.
struct ReceiveLayer {
  static constexpr std::string_view topic = "image_store.receive-layer";
  using Reply = UploadTicket;
  NodeId node_id = {};
  std::string work_id = {};  // another one than before: that save is void
  std::string name = {};     // of the generation
  std::uint64_t size_bytes = 0;
  std::string sha256 = {};         // hex
  bool is_automatic = false;       // of the generation
  std::int64_t sealed_unix_s = 0;  // the generation's time; 0 = now
  NUCLEUS_FIELDS(node_id, work_id, name, size_bytes, sha256, is_automatic, sealed_unix_s);
};

}  // namespace nucleus::msg
