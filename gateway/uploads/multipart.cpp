#include "gateway/uploads/multipart.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "core/files/descriptor.hpp"
#include "core/files/files.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

constexpr std::size_t parts_max = 16;
constexpr std::size_t head_bytes_max = 8192;
constexpr std::size_t copy_bytes = std::size_t{64} << 20;
constexpr const char* not_stored = "the upload cannot be stored";

class Mapping {
 public:
  explicit Mapping(const std::string& path) : file_{open(path.c_str(), O_RDONLY | O_CLOEXEC)} {
    struct stat status {};
    if (file_.number() < 0 || fstat(file_.number(), &status) != 0 || status.st_size == 0) return;
    size_ = static_cast<std::size_t>(status.st_size);
    bytes_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file_.number(), 0);
    if (bytes_ == MAP_FAILED) size_ = 0;
  }
  ~Mapping() {
    if (size_) munmap(bytes_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  std::string_view text() const { return {static_cast<const char*>(bytes_), size_}; }

 private:
  core::Descriptor file_;
  void* bytes_ = nullptr;
  std::size_t size_ = 0;
};

std::string lower(std::string_view text) {
  std::string copy(text);
  for (char& c : copy) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return copy;
}

/// The VALUE of NAME="VALUE" or NAME=VALUE in a header's value; empty if there is none.
std::string parameter(std::string_view text, const std::string& name) {
  const std::string lowered = lower(text);
  for (std::size_t at = 0; (at = lowered.find(name + "=", at)) != std::string::npos; ++at) {
    if (at > 0 && lowered[at - 1] != ' ' && lowered[at - 1] != ';') continue;
    std::string_view rest = text.substr(at + name.size() + 1);
    if (!rest.starts_with('"')) return std::string(rest.substr(0, rest.find_first_of("; \r\n")));
    rest.remove_prefix(1);
    return std::string(rest.substr(0, rest.find('"')));
  }
  return {};
}

std::unexpected<core::Error> broken(const char* detail) {
  return core::refuse(ErrorCode::invalid_argument, detail, "file");
}

}  // namespace

core::Result<std::vector<Part>> find_parts(const std::string& path,
                                           const std::string& content_type) {
  const std::string boundary = parameter(content_type, "boundary");
  if (!lower(content_type).starts_with("multipart/form-data") || boundary.empty() ||
      boundary.size() > 70)
    return broken("the body must be multipart/form-data with a boundary");
  const Mapping mapping(path);
  const std::string_view text = mapping.text();
  const std::string first = "--" + boundary;
  const std::string next = "\r\n--" + boundary;
  std::size_t at = text.substr(0, head_bytes_max).find(first);
  if (at == std::string_view::npos) return broken("the body has no part");
  at += first.size();
  std::vector<Part> parts;
  while (text.substr(at, 2) == "\r\n") {
    const auto head_size = text.substr(at, head_bytes_max).find("\r\n\r\n");
    if (head_size == std::string_view::npos) return broken("the head of a part is malformed");
    const std::string_view head = text.substr(at, head_size);
    const auto begin = at + head_size + 4;
    // Search from the blank line on, where the boundary of an empty part begins.
    const auto end = text.find(next, begin - 2);
    if (end == std::string_view::npos) return broken("the body ends in the middle of a part");
    if (parts.size() == parts_max) return broken("the body has too many parts");
    parts.push_back({.name = parameter(head, "name"),
                     .file_name = parameter(head, "filename"),
                     .offset = begin,
                     .size_bytes = end > begin ? end - begin : 0});
    at = end + next.size();
  }
  if (text.substr(at, 2) != "--") return broken("the body has no closing boundary");
  return parts;
}

core::Result<void> copy_part(const std::string& path, const Part& part, const std::string& to) {
  const core::Descriptor from(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const core::Descriptor into(open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!from.is_open() || !into.is_open()) return core::refuse_errno(not_stored);
  auto offset = static_cast<off_t>(part.offset);
  for (std::uint64_t left = part.size_bytes; left > 0;) {
    const auto most = std::min<std::uint64_t>(left, copy_bytes);
    auto copied = copy_file_range(from.number(), &offset, into.number(), nullptr, most, 0);
    if (copied < 0 && errno == EXDEV)  // another file system
      copied = sendfile(into.number(), from.number(), &offset, most);
    if (copied < 0) return core::refuse_errno(not_stored);
    if (copied == 0) return core::refuse(ErrorCode::internal, "the upload was cut off");
    left -= static_cast<std::uint64_t>(copied);
  }
  return {};
}

}  // namespace nucleus::gateway
