// The disk of a running domain. QEMU may reopen a file by its path, so no file of the disk is
// renamed or replaced: overlays are added, and a sealed file keeps its path.
//   disk.qcow2          the file that the domain started with
//   disk.NUMBER.qcow2   an overlay over the file before it, the last one is the top; NUMBER is the
//                       Unix time at which it was added
//   layers/SAVE.sealed  a second link of the sealed file, which the top lies on
// Once the image store has published the sealed file, it is a layer too, by a link: all files up to
// the newest such one are published. At most one file below the top is not. Each function may be
// cut off at any point and repeated; blocks.
#pragma once

#include <string>

#include "core/result.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// Published files that a running domain may have below its top; if there are more, they are merged
/// into one.
constexpr std::size_t overlays_kept_max = 4;

/// A disk whose domain runs.
struct RunningDisk {
  std::string directory = {};  // of its volume
  std::string domain = {};     // its name
  std::uint64_t bytes = 0;
  QemuUser user = {};
};

/// Adds an overlay to the disk, and returns the path of what was the top, as it is sealed for this
/// save. A sealed file that was not published is taken over as it is. `unavailable`: the domain has
/// ended meanwhile, or its hypervisor fails; `not_found`: there is no disk.
core::Result<std::string> seal_running_disk(const RunningDisk& disk, const std::string& save_id,
                                            Hypervisor& hypervisor, std::int64_t now_unix_s);

/// When the file that this save has sealed was the top last; 0 = nothing lies on it.
std::int64_t sealed_unix_s(const std::string& directory, const std::string& save_id);

/// Whether a file of the disk is not published: something may have been written to it.
bool has_unpublished_file(const std::string& directory);

/// Makes one file of a disk that no domain uses, disk.qcow2, and drops what is published. A save
/// under way is void. Fails while QEMU has it open. Nothing if it is one file already.
core::Result<void> gather_disk(const std::string& directory, const QemuUser& user);

}  // namespace nucleus::provisioner
