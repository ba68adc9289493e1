#include "operator/state_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace nucleus::op {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t socket_path_bytes_max = 107;  // of sockaddr_un
constexpr std::string_view longest_socket = "/libvirt/run/virtqemud-admin-sock";

}  // namespace

StateDirectory::StateDirectory(const fs::path& root)
    : root_{fs::absolute(root).lexically_normal().string()} {
  while (root_.size() > 1 && root_.back() == '/') root_.pop_back();
}

fs::path StateDirectory::default_root() {
  if (const char* said = std::getenv("NUCLEUS_STATE"); said && *said) return said;
  if (geteuid() == 0) return "/var/lib/nucleus";
  const char* home = std::getenv("HOME");
  return fs::path(home ? home : ".") / ".nucleus";
}

core::Result<void> StateDirectory::create() const {
  if (root_.size() + longest_socket.size() > socket_path_bytes_max)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "the state directory's path is longer than " +
                            std::to_string(socket_path_bytes_max - longest_socket.size()) +
                            " bytes, too long for unix sockets below it",
                        "state");
  std::error_code error;
  for (const char* folder : {"", "config", "logs", "pids", "run", "redis", "images", "uploads",
                             "spool", "volumes", "provisioner", "rights", "monitoring"}) {
    fs::create_directories(file(folder), error);
    if (!error)
      fs::permissions(file(folder), fs::perms::owner_all, fs::perm_options::replace, error);
    if (error)
      return core::refuse(core::ErrorCode::invalid_argument, file(folder) + ": " + error.message(),
                          "state");
  }
  return {};
}

bool StateDirectory::exists() const {
  std::error_code error;
  return fs::exists(file("deployment.yaml"), error);
}

bool StateDirectory::is_remote() const {
  std::error_code error;
  return !exists() && fs::exists(file("settings.yaml"), error);
}

core::Result<void> write_file(const std::string& path, const std::string& content) {
  // Hidden, for whoever lists the folder meanwhile: DIR/pids has a file for each process, no more.
  const fs::path target(path);
  const std::string fresh = target.parent_path() / ("." + target.filename().string() + ".new");
  const int descriptor = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool is_written = descriptor >= 0;
  for (std::size_t at = 0; is_written && at < content.size();) {
    const ssize_t count = write(descriptor, content.data() + at, content.size() - at);
    is_written = count > 0;
    if (is_written) at += static_cast<std::size_t>(count);
  }
  const int reason = errno;
  if (descriptor >= 0) close(descriptor);
  if (!is_written || std::rename(fresh.c_str(), path.c_str()) != 0)
    return core::refuse(core::ErrorCode::internal,
                        path + ": " + std::generic_category().message(is_written ? errno : reason));
  return {};
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream content;
  content << file.rdbuf();
  return std::move(content).str();
}

std::optional<FileLock> FileLock::take(const std::string& path, bool is_waiting) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return std::nullopt;
  FileLock lock(descriptor);
  if (flock(descriptor, LOCK_EX | (is_waiting ? 0 : LOCK_NB)) != 0) return std::nullopt;
  return lock;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace nucleus::op
