// Pages of the lists of chunks that this host has fetched: files beside its chunks, so that an
// image that is here is read without the image store, also by the next process. Every page can be
// fetched again. Calls block; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

namespace nucleus::provisioner {

class KeptLists {
 public:
  static constexpr std::size_t pages_max = 4'096;  // files of 32 KiB; the oldest are deleted

  /// An empty directory = nothing is kept.
  explicit KeptLists(std::string directory);

  /// The encoded page, as it was kept; nothing if it is not here or its file is damaged.
  std::optional<std::string> find(const std::string& content_id, std::uint64_t page) const;
  /// If the disk is full, the page is not kept.
  void keep(const std::string& content_id, std::uint64_t page, const std::string& encoded);

 private:
  std::string path_of(const std::string& content_id, std::uint64_t page) const;
  void prune() const;

  const std::string directory_;
  std::atomic<std::uint64_t> kept_ = 0;
};

}  // namespace nucleus::provisioner
