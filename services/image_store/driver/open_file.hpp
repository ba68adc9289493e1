// A regular file that is read at offsets. Any thread; calls block.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "core/files/descriptor.hpp"

namespace nucleus::image_store {

class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : descriptor_{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)} {
    struct stat status {};
    is_sound_ = descriptor_.is_open() && fstat(descriptor_.number(), &status) == 0 &&
                S_ISREG(status.st_mode);
    if (is_sound_) size_ = static_cast<std::uint64_t>(status.st_size);
  }

  bool is_sound() const { return is_sound_; }
  std::uint64_t size_bytes() const { return size_; }
  /// False if that many bytes cannot be read.
  bool read(std::uint64_t from, std::string& into) const {
    std::size_t done = 0;
    while (done < into.size()) {
      const auto count = pread(descriptor_.number(), into.data() + done, into.size() - done,
                               static_cast<off_t>(from + done));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      done += static_cast<std::size_t>(count);
    }
    return true;
  }

 private:
  core::Descriptor descriptor_;
  bool is_sound_ = false;
  std::uint64_t size_ = 0;
};

}  // namespace nucleus::image_store
