// Who types into a console and who watches. At most one viewer is the writer. Runs on the HTTP
// server's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nucleus::console {

class Session;

class Roles {
 public:
  /// The first viewer that may write becomes the writer. A person who attaches again, perhaps
  /// before the end of the earlier connection is noticed, goes on as the writer.
  void add(const std::shared_ptr<Session>& viewer);
  /// The longest waiting viewer that may write becomes the writer.
  void remove(const Session* viewer);
  /// Both return why it is refused, or nothing.
  std::string hand_over(const Session& from, std::uint64_t to_number);
  std::string take_over(const std::shared_ptr<Session>& viewer);
  bool is_writer(const Session& viewer) const { return writer_.lock().get() == &viewer; }

  /// Those of the viewers, oldest first.
  std::vector<std::shared_ptr<Session>> viewers() const;
  std::shared_ptr<Session> writer() const { return writer_.lock(); }

 private:
  void set_writer(const std::shared_ptr<Session>& viewer, const std::string& reason);
  void show(const std::string& reason) const;

  std::vector<std::weak_ptr<Session>> viewers_ = {};
  std::weak_ptr<Session> writer_ = {};
};

}  // namespace nucleus::console
