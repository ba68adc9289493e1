#include "services/provisioner/driver/log_watch.hpp"

#include <sys/inotify.h>

#include <boost/asio/buffer.hpp>
#include <cstring>
#include <set>
#include <vector>

namespace nucleus::provisioner {

LogWatch::LogWatch(const boost::asio::any_io_executor& executor) : changes_{executor} {
  if (const int changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC); changes >= 0) {
    changes_.assign(changes);
    read_changes();
  }
}

std::shared_ptr<LogWatch::Handler> LogWatch::add(const std::string& path, Handler handler) {
  if (!changes_.is_open()) return nullptr;
  for (auto at = handlers_.begin(); at != handlers_.end();) {
    const int watched = at->first;
    at = at->second.expired() ? handlers_.erase(at) : std::next(at);
    if (!handlers_.contains(watched)) inotify_rm_watch(changes_.native_handle(), watched);
  }
  const int watched =
      inotify_add_watch(changes_.native_handle(), path.c_str(), IN_MODIFY | IN_DONT_FOLLOW);
  if (watched < 0) return nullptr;
  auto added = std::make_shared<Handler>(std::move(handler));
  handlers_.emplace(watched, added);
  return added;
}

void LogWatch::read_changes() {
  changes_.async_read_some(boost::asio::buffer(buffer_),
                           [this](boost::system::error_code error, std::size_t size) {
                             if (error) return;
                             std::set<int> changed;
                             for (std::size_t at = 0; at + sizeof(inotify_event) <= size;) {
                               inotify_event event{};
                               std::memcpy(&event, buffer_.data() + at, sizeof event);
                               if (event.mask & IN_Q_OVERFLOW)  // any may have changed
                                 for (const auto& [watched, handler] : handlers_)
                                   changed.insert(watched);
                               changed.insert(event.wd);
                               at += sizeof event + event.len;
                             }
                             for (const int watched : changed) call_handlers(watched);
                             read_changes();
                           });
}

void LogWatch::call_handlers(int watched) {
  std::vector<std::shared_ptr<Handler>> called;  // they may change the map
  const auto [first, last] = handlers_.equal_range(watched);
  for (auto at = first; at != last; ++at)
    if (auto handler = at->second.lock()) called.push_back(std::move(handler));
  for (const auto& handler : called) (*handler)();
}

}  // namespace nucleus::provisioner
