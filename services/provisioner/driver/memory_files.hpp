// The files of saved memory. PATH is one that is saved, PATH.part one that is being written or is
// not published yet, PATH.EPOCH one that this epoch alone uses, and PATH.sha256 its digest. All
// block.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "core/result.hpp"

namespace nucleus::provisioner {

/// Of the file of a domain's memory that was saved under an id.
std::string memory_file_name(const std::string& domain, const std::string& hibernation_id);

std::string partial_memory(const std::string& path);
std::string taken_memory(const std::string& path, std::uint64_t epoch);

/// Makes the directory of the file, for this process's user alone, and removes what an earlier
/// attempt left of it. `unavailable`: less than `bytes`, and 64 MiB for others, is free there.
core::Result<void> begin_memory(const std::string& path, std::uint64_t bytes);

/// Publishes the partial file, which is complete, with its digest; returns its size.
core::Result<std::uint64_t> publish_memory(const std::string& path);

/// `not_found`: it is not published.
core::Result<std::uint64_t> published_bytes(const std::string& path);

/// Gives the file to an epoch. `not_found`: there is none, or an epoch has it.
core::Result<void> take_memory(const std::string& path, std::uint64_t epoch);

/// Takes it from the epoch again: no domain was started with it.
void give_memory_back(const std::string& path, std::uint64_t epoch);

/// Fails unless the taken file is the one that was published.
core::Result<void> check_memory(const std::string& path, std::uint64_t epoch);

/// Removes the file that an epoch has taken and could not use.
void forget_memory(const std::string& path, std::uint64_t epoch);

/// Removes all files of memory in the directory, but for those of `kept`: names of files.
core::Result<void> remove_memories_in(const std::string& directory,
                                      const std::set<std::string>& kept);

}  // namespace nucleus::provisioner
