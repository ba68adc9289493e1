// The seed drive: a small FAT disk labelled `cidata` that tells a guest its name, addresses and
// peers, in the form that cloud-init calls NoCloud, and as plain files for guests without it.
#pragma once

#include <string>

#include "core/result.hpp"
#include "messages/provisioner.hpp"

namespace nucleus::provisioner {

struct SeedFiles {
  std::string meta_data = {};       // instance-id, local-hostname
  std::string network_config = {};  // netplan, version 2: each card by its MAC
  std::string user_data = {};
  std::string hosts = {};  // lines for /etc/hosts: every node of the cluster
  std::string ports = {};  // a line a card: MAC ADDRESS/LENGTH GATEWAY|-
};

/// Pure: what the drive says for this grant; refused where its peers are malformed.
core::Result<SeedFiles> plan_seed(const msg::Grant& grant);

constexpr std::size_t seed_drives_max = 512;  // in a folder; several times what one host runs

/// Writes the drive to `path`, whole or not at all; one that says the same already stays. Where one
/// was made, the folder's drives beyond `seed_drives_max` go. Blocks; needs mtools.
core::Result<void> write_seed_drive(const std::string& path, const SeedFiles& files);

/// Removes the drives that were longest not asked for, until `count_max` are left: those of nodes
/// that are no more among them. Whoever needs one again has it made again.
void prune_seed_drives(const std::string& folder, std::size_t count_max);

}  // namespace nucleus::provisioner
