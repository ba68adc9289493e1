#include "operator/state_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/files/files.hpp"

namespace nucleus::operator_ {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t socket_path_bytes_max = 107;  // of sockaddr_un
constexpr std::string_view longest_socket = "/libvirt/run/virtqemud-admin-sock";
constexpr std::array state_folders = {"config",      "logs",    "pids",      "run",     "redis",
                                      "images",      "uploads", "spool",     "volumes", "tls",
                                      "provisioner", "rights",  "monitoring"};
// What an interrupted first start or join may leave.
constexpr std::array first_files = {".deployment.yaml.new", ".host.yaml.new", "join.yaml",
                                    ".join.yaml.new",       "ca.pem",         ".ca.pem.new"};

}  // namespace

StateDirectory::StateDirectory(const fs::path& root)
    : root_{fs::absolute(root).lexically_normal().string()} {
  while (root_.size() > 1 && root_.back() == '/') root_.pop_back();
}

fs::path StateDirectory::default_root() {
  if (const char* root = std::getenv("NUCLEUS_STATE"); root && *root) return root;
  if (geteuid() == 0) return "/var/lib/nucleus";
  const char* home = std::getenv("HOME");
  return fs::path(home ? home : ".") / ".nucleus";
}

/// A new deployment needs an empty directory, or what an interrupted `up` left.
core::Result<void> StateDirectory::check_content() const {
  std::error_code error;
  if (exists() || fs::exists(file("host.yaml"), error) || !fs::exists(root_, error)) return {};
  for (const auto& entry : fs::directory_iterator(root_, error)) {
    const std::string name = entry.path().filename().string();
    if (std::ranges::find(first_files, name) == first_files.end() &&
        std::ranges::find(state_folders, name) == state_folders.end())
      return core::refuse(core::ErrorCode::invalid_argument,
                          root_ + " is neither empty nor a state directory", "state");
  }
  if (error)
    return core::refuse(core::ErrorCode::invalid_argument, root_ + ": " + error.message(), "state");
  return {};
}

core::Result<void> StateDirectory::create() const {
  if (root_.size() + longest_socket.size() > socket_path_bytes_max)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "the state directory's path is longer than " +
                            std::to_string(socket_path_bytes_max - longest_socket.size()) +
                            " bytes, the limit for unix sockets below it",
                        "state");
  if (auto checked = check_content(); !checked) return checked;
  // Others cannot enter the root. What is below keeps its mode: QEMU's user reads some of it.
  const auto create_folder = [this](const std::string& path) -> core::Result<void> {
    std::error_code error;
    const bool is_new = fs::create_directories(path, error);
    if (!error && (is_new || path == root_))
      fs::permissions(path, fs::perms::owner_all, fs::perm_options::replace, error);
    if (error)
      return core::refuse(core::ErrorCode::invalid_argument, path + ": " + error.message(),
                          "state");
    return {};
  };
  if (auto created = create_folder(root_); !created) return created;
  for (const char* folder : state_folders)
    if (auto created = create_folder(file(folder)); !created) return created;
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

std::string no_deployment(const StateDirectory& state) {
  return "no deployment in " + state.root() + "; create one with nucleus up --state " +
         state.root();
}

core::Result<void> write_file(const std::string& path, const std::string& content) {
  return core::replace_file(path, content);
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

}  // namespace nucleus::operator_
