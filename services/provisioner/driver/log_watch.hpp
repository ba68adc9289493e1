// Reports when files are appended to. Used on the thread of its executor.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace nucleus::provisioner {

class LogWatch {
 public:
  using Handler = std::function<void()>;

  explicit LogWatch(const boost::asio::any_io_executor& executor);

  /// Calls `handler` after each change of the file, for as long as the result lives. Null if the
  /// file cannot be watched.
  [[nodiscard]] std::shared_ptr<Handler> add(const std::string& path, Handler handler);

 private:
  void read_changes();
  void call_handlers(int watched);

  boost::asio::posix::stream_descriptor changes_;
  std::multimap<int, std::weak_ptr<Handler>> handlers_ = {};  // by inotify's number of the file
  alignas(8) std::array<char, 16 * 1024> buffer_ = {};
};

}  // namespace nucleus::provisioner
