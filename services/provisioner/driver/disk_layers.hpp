// The files of a node's disk, in the directory of its volume, which is the node's alone:
//   disk.qcow2            the top, which the domain writes. One that was saved while its domain ran
//                         may have overlays over it: see disk_overlays.hpp.
//   continues             the content id of the layer below the top; no file: the top lies on the
//                         base. It is also that of a sealed disk.
//   layers/CONTENT.qcow2  a layer that the image store has published
//   layers/SAVE.sealed    a disk that was sealed. Once it is published, a second link of a layer.
// No header names another file: the domain's XML has the chain. Each function blocks, and may be
// cut off at any point and repeated; two must not use the same directory at a time.
#pragma once

#include <string>

#include "core/result.hpp"
#include "services/provisioner/driver/hypervisor.hpp"
#include "services/provisioner/volume_plan.hpp"

namespace nucleus::provisioner {

/// Other users may pass through a directory of this host's volumes, and list nothing.
core::Result<void> make_volume_directory(const std::string& path);

/// Renames a file whose content is final, durably.
core::Result<void> put_in_place(const std::string& from, const std::string& to);

/// Turns the top into a sealed disk of this save, whose path is returned. A sealed disk of an
/// earlier save that was not published is taken over by this one, with what was written over it;
/// one of this save stays as it is. `not_found`: the disk does not exist, or is unchanged since it
/// was published. Fails while QEMU has the disk open.
core::Result<std::string> seal_disk(const std::string& directory, const std::string& save_id,
                                    const QemuUser& user);

/// The path of the disk that this save has sealed. `not_found`: it has none.
core::Result<std::string> find_sealed(const std::string& directory, const std::string& save_id);

/// Keeps the sealed disk as the layer that the image store has published, and returns its size.
/// `not_found`: there is neither.
core::Result<std::uint64_t> keep_as_layer(const std::string& directory, const std::string& save_id,
                                          const std::string& content_id);

/// If the newest layer of the volume is missing, and the sealed disk has its content, keeps that as
/// the layer: the image store has published it, and its answer was lost.
core::Result<void> find_layer_here(const HostVolume& volume);

/// Makes the top of the volume, whose layers must be there. A top, or a sealed disk that was not
/// published, which continues the newest layer, is the top again; one that continues another is
/// deleted, and so are layers that the volume does not name.
core::Result<void> settle_disk(const HostVolume& volume, const QemuUser& user = {});

}  // namespace nucleus::provisioner
