// CURVE keys for processes in containers or on other machines: one folder per process with settings
// that only this process may read; the bus's folder also contains what each key allows. Each folder
// is passed to its process, as a volume or over ssh. So are the certificates for what hosts connect
// to by TLS.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/bus/peer_rights.hpp"
#include "core/result.hpp"

namespace nucleus::operator_ {

/// The rights of the services' keys, of the operator's commands, and of these hosts' provisioners.
/// Each process is allowed what it needs, and nothing else.
std::vector<core::PeerRights> process_rights(const std::vector<std::string>& provisioners);

/// Of a host's provisioner.
core::PeerRights host_rights(const std::string& host_id);

/// The rights files of each process name.
using KeyFiles = std::map<std::string, std::vector<std::string>>;

/// Reads all rights files.
KeyFiles find_keys(const std::string& rights_directory);
/// Writes the rights file of a key, and revokes those of `known` keys that are of the process of
/// this name, if it has one.
core::Result<void> grant_key(const std::string& rights_directory, const KeyFiles& known,
                             const std::string& public_key, const core::PeerRights& rights);
/// The same, but earlier keys of the process stay valid until this one is used, and until
/// `earlier_end_unix_s` at most.
core::Result<void> renew_key(const std::string& rights_directory, const KeyFiles& known,
                             const std::string& public_key, core::PeerRights rights,
                             std::int64_t earlier_end_unix_s);
/// Removes the files of this process name; false if none was there.
bool revoke_keys(const KeyFiles& known, const std::string& name);

/// The folder of a process: `registry` for `registry`, `provisioner-host-07` for
/// `provisioner/host-07`, `operator` for `operator/*`.
std::string key_folder(const std::string& name);

/// Where hosts reach the head by TLS: NAME:PORT or ADDRESS:PORT. Both empty = nowhere.
struct HeadPlaces {
  std::string console = {};
  std::string image_store = {};
  std::vector<std::string> others = {};  // further IPv4 addresses of the head
};

/// Creates what does not exist yet below `directory`. Safe to repeat, also with further hosts and
/// addresses: existing keys are kept, and a certificate that is not valid for all is replaced. With
/// places, `tls` gets the CA, the folders of the console and the image store `head.pem` and
/// `head.key`, and that of the operator `head.yaml`, for join files.
core::Result<void> make_keys(const std::string& directory,
                             const std::vector<std::string>& provisioners,
                             const HeadPlaces& head = {});

}  // namespace nucleus::operator_
