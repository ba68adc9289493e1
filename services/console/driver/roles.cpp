#include "services/console/driver/roles.hpp"

#include <algorithm>

#include "services/console/driver/session.hpp"

namespace nucleus::console {

void Roles::add(const std::shared_ptr<Session>& viewer) {
  viewers_.push_back(viewer);
  const auto writer = writer_.lock();
  const bool is_free = !writer || writer->person() == viewer->person();
  if (is_free && viewer->may_write())
    return set_writer(viewer, writer ? writer->person() + " attached again" : "");
  show("");
}

void Roles::remove(const Session* viewer) {
  const bool was_writer = writer_.lock().get() == viewer || writer_.expired();
  const auto removed = std::erase_if(viewers_, [viewer](const auto& weak) {
    const auto one = weak.lock();
    return !one || one.get() == viewer;
  });
  if (removed == 0) return;
  if (!was_writer) return show("");
  const auto all = viewers();
  const auto next = std::ranges::find_if(all, [](const auto& one) { return one->may_write(); });
  set_writer(next == all.end() ? nullptr : *next, "the writer has left");
}

std::string Roles::hand_over(const Session& from, std::uint64_t to_number) {
  if (!is_writer(from)) return "you are not the writer";
  const auto all = viewers();
  const auto to = std::ranges::find_if(
      all, [to_number](const auto& one) { return one->number() == to_number; });
  if (to == all.end()) return "there is no such viewer";
  if (!(*to)->may_write()) return "this viewer is read-only";
  set_writer(*to, from.person() + " handed over");
  return {};
}

std::string Roles::take_over(const std::shared_ptr<Session>& viewer) {
  if (!viewer->may_write()) return "this session is read-only";
  const auto writer = writer_.lock();
  if (writer && writer->person() != viewer->person() && !viewer->may_take_over())
    return "only an admin of the project may take over: ask " + writer->person();
  set_writer(viewer, viewer->person() + " took over");
  return {};
}

void Roles::set_writer(const std::shared_ptr<Session>& viewer, const std::string& reason) {
  const auto before = writer_.lock();
  writer_ = viewer;
  if (before && before != viewer) before->report();
  if (viewer && before != viewer) viewer->report();
  show(reason);
}

void Roles::show(const std::string& reason) const {
  for (const auto& viewer : viewers()) viewer->show_roles(reason);
}

std::vector<std::shared_ptr<Session>> Roles::viewers() const {
  std::vector<std::shared_ptr<Session>> all;
  for (const auto& weak : viewers_)
    if (auto viewer = weak.lock()) all.push_back(std::move(viewer));
  return all;
}

}  // namespace nucleus::console
