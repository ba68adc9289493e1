// The first disk of a running domain, by libvirt: its files are read back from the domain's XML, an
// overlay is added by an external snapshot, and overlays are merged by a block commit. Blocks.
#pragma once

#include <libvirt/libvirt.h>

#include <string>
#include <vector>

#include "core/result.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// In a domain's XML: the file of vda, then the files that it lies on. Empty if it has no vda.
std::vector<std::string> disk_files_in_xml(const std::string& xml);

/// The XML of a snapshot that adds `overlay` to vda, and leaves the other disks of the domain.
std::string snapshot_xml(const std::string& domain_xml, const std::string& overlay);

core::Result<std::vector<std::string>> disk_files_of(virDomain* domain);
core::Result<void> add_overlay_to(virDomain* domain, const std::string& overlay);
core::Result<void> merge_overlays_of(virDomain* domain, const OverlayMerge& merge);

}  // namespace nucleus::provisioner
