// The CURVE keys of a deployment whose processes run in containers or on several machines: a folder
// for each process with the settings that it alone may read; in the bus's also what each key
// allows. Each folder is handed to its process, as a volume or over ssh.
#pragma once

#include <string>
#include <vector>

#include "core/bus/peer_rights.hpp"
#include "core/result.hpp"

namespace nucleus::op {

/// What the keys of the central services, the operator's commands and these hosts' provisioners
/// allow: each process asks for no more than it needs.
std::vector<core::PeerRights> roles(const std::vector<std::string>& provisioners);

/// `registry` of `registry`, `provisioner-host-07` of `provisioner/host-07`, `operator` of
/// `operator/*`.
std::string key_folder(const std::string& name);

/// Makes what is not there yet below `directory`; keys that are there stay. Safe to repeat, with
/// more hosts too.
core::Result<void> make_keys(const std::string& directory,
                             const std::vector<std::string>& provisioners);

}  // namespace nucleus::op
