// The seed drive: a small FAT disk labelled `cidata` with a guest's name, addresses and peers, in
// cloud-init's NoCloud format and as plain files for guests without cloud-init.
#pragma once

#include <string>

#include "core/result.hpp"
#include "messages/provisioner.hpp"

namespace nucleus::provisioner {

struct SeedFiles {
  std::string meta_data = {};       // instance-id, local-hostname, nucleus-epoch
  std::string network_config = {};  // netplan, version 2: each card by its MAC
  std::string user_data = {};
  std::string hosts = {};  // lines for /etc/hosts: every node of the cluster
  std::string ports = {};  // a line for each card: MAC ADDRESS/LENGTH GATEWAY|-
};

/// The files for this grant; fails if its peers are malformed. Pure.
core::Result<SeedFiles> plan_seed(const msg::Grant& grant);

constexpr std::size_t seed_drives_max = 512;  // in a directory; several times what one host runs

/// Writes the drive to `path`, whole or not at all; one with the same files is kept. After a new
/// one was made, the directory is pruned to `seed_drives_max` drives. Blocks; needs mtools.
core::Result<void> write_seed_drive(const std::string& path, const SeedFiles& files);

/// Removes the least recently used drives until `count_max` are left. A drive that is needed again
/// is made again.
void prune_seed_drives(const std::string& directory, std::size_t count_max);

}  // namespace nucleus::provisioner
