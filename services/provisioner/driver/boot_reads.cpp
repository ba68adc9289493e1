#include "services/provisioner/driver/boot_reads.hpp"

namespace nucleus::provisioner {

void BootReads::begin(const msg::NodeId& node_id, const std::string& content_id,
                      const std::string& ticket) {
  const std::scoped_lock lock{mutex_};
  boots_.erase(node_id);
  if (boots_.size() >= boots_max || recorded_.contains(content_id)) return;
  Boot boot;
  boot.content_id = content_id;
  boot.ticket = ticket;
  boots_[node_id] = std::move(boot);
}

void BootReads::note(const std::string& content_id, const std::string& ticket, std::uint64_t first,
                     std::uint64_t last, Clock::time_point now) {
  const std::scoped_lock lock{mutex_};
  for (auto& [node_id, boot] : boots_) {
    if (boot.ticket != ticket || boot.content_id != content_id || boot.is_ready) continue;
    if (!boot.first_read) boot.first_read = now;
    for (auto index = first; index <= last; ++index) {
      if (boot.indexes.size() >= msg::working_set_max) break;
      const auto number = static_cast<std::uint32_t>(index);
      if (boot.seen.insert(number).second) boot.indexes.push_back(number);
    }
  }
}

void BootReads::set_recorded(const std::string& content_id) {
  const std::scoped_lock lock{mutex_};
  if (recorded_.size() >= recorded_max) recorded_.clear();
  recorded_.insert(content_id);
  std::erase_if(boots_, [&](const auto& boot) { return boot.second.content_id == content_id; });
}

void BootReads::set_ready(const msg::NodeId& node_id) {
  const std::scoped_lock lock{mutex_};
  if (const auto boot = boots_.find(node_id); boot != boots_.end()) boot->second.is_ready = true;
}

void BootReads::keep_only(const std::set<msg::NodeId>& nodes) {
  const std::scoped_lock lock{mutex_};
  std::erase_if(boots_, [&](const auto& boot) { return !nodes.contains(boot.first); });
}

std::set<msg::NodeId> BootReads::booting() const {
  const std::scoped_lock lock{mutex_};
  std::set<msg::NodeId> nodes;
  for (const auto& [node_id, boot] : boots_)
    if (boot.first_read && !boot.is_ready) nodes.insert(node_id);
  return nodes;
}

std::vector<BootReads::Finished> BootReads::take_finished(Clock::time_point now) {
  const std::scoped_lock lock{mutex_};
  std::vector<Finished> finished;
  for (auto at = boots_.begin(); at != boots_.end();) {
    auto& boot = at->second;
    const bool is_over = boot.first_read && *boot.first_read + longest <= now;
    if (!boot.is_ready && !is_over) {
      ++at;
      continue;
    }
    if (!boot.indexes.empty())
      finished.push_back(
          {.content_id = boot.content_id,
           .set = {.version = msg::chunk_list_version, .indexes = std::move(boot.indexes)}});
    at = boots_.erase(at);
  }
  return finished;
}

}  // namespace nucleus::provisioner
