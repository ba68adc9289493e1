// A private redis-server for a test, in a temporary folder, on a unix socket, with production's
// durability settings.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/support/temporary_folder.hpp"

namespace nucleus::tests {

class RedisServer {
 public:
  RedisServer() { start(); }
  ~RedisServer() { kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::string socket_path() const { return folder_.file("redis.sock"); }

  /// Returns when it accepts connections, with the data of its earlier runs.
  void start() {
    const std::string socket = socket_path();
    const std::string directory = folder_.path();
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket.c_str(), "--dir",
             directory.c_str(), "--appendonly", "yes", "--appendfsync", "always", "--save", "",
             "--logfile", "redis.log", static_cast<char*>(nullptr));
      _exit(127);
    }
    for (int tries = 0; tries < 2000; ++tries) {
      if (answers(socket)) return;
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) throw std::runtime_error("redis-server exited");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    throw std::runtime_error("redis-server did not start");
  }

  /// Kills it, as a power failure would.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
    std::filesystem::remove(socket_path());
  }

 private:
  static bool answers(const std::string& path) {
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    bool is_ready =
        connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    char answer[8] = {};
    // While it loads its data, it answers -LOADING.
    is_ready = is_ready && write(descriptor, "PING\r\n", 6) == 6 &&
               read(descriptor, answer, 7) > 0 && answer[0] == '+';
    close(descriptor);
    return is_ready;
  }

  TemporaryFolder folder_ = {};
  pid_t pid_ = -1;
};

}  // namespace nucleus::tests
