#include "services/provisioner/driver/fan_out.hpp"

#include <algorithm>

#include "core/chunks/chunk.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::chrono::seconds join_interval_max{30};
constexpr std::chrono::seconds pause_max{60};
constexpr std::size_t faults_max = 4'096;

std::int64_t unix_s() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

core::Result<msg::FanOutPlan> parse_plan(const std::string& body) {
  try {
    auto plan = msg::decode<msg::FanOutPlan>(body);
    if (auto broken = msg::check(plan)) return std::unexpected(*broken);
    return plan;
  } catch (const msg::DecodeError& error) {
    return core::refuse(core::ErrorCode::invalid_argument, error.what());
  }
}

}  // namespace

void FanOut::join_if_due(const std::string& content_id, const std::string& ticket) {
  if (self_.endpoint.empty()) return;
  msg::JoinFanOut request{
      .endpoint = self_.endpoint, .authority = self_.authority, .key = self_.key};
  {
    const std::scoped_lock lock{mutex_};
    auto& content = contents_[content_id];
    const auto now = Clock::now();
    if (now < content.next_join) return;
    content.next_join = now + content.interval;
    content.interval = std::min(2 * content.interval, join_interval_max);
    request.joined_unix_s = content.plan.joined_unix_s;
  }
  const auto reader = store_.take(store_url_, {}, ticket);
  const auto body =
      reader->post(store_url_ + "/base/" + content_id + "/disk/hosts", msg::encode(request));
  if (!body) return;
  auto plan = parse_plan(*body);
  if (!plan) return;
  const std::scoped_lock lock{mutex_};
  if (const auto content = contents_.find(content_id); content != contents_.end())
    content->second.plan = std::move(*plan);
}

void FanOut::leave(const std::string& content_id) {
  const std::scoped_lock lock{mutex_};
  contents_.erase(content_id);
}

std::vector<msg::ChunkPeer> FanOut::peers(const std::string& content_id, std::uint64_t chunk) {
  const std::scoped_lock lock{mutex_};
  const auto content = contents_.find(content_id);
  if (content == contents_.end() || content->second.plan.stripes.empty()) return {};
  const auto& plan = content->second.plan;
  if (plan.ticket_end_unix_s <= unix_s()) return {};
  std::vector<msg::ChunkPeer> peers;
  for (const auto at : plan.stripes[chunk % msg::fan_out_stripes]) {
    const auto& peer = plan.peers[at];
    const auto fault = faults_.find(peer.endpoint);
    if (fault == faults_.end() || fault->second.until <= Clock::now()) peers.push_back(peer);
  }
  return peers;
}

void FanOut::note_failed(const std::string& endpoint, bool is_lie) {
  const std::scoped_lock lock{mutex_};
  if (faults_.size() >= faults_max) faults_.clear();
  auto& [until, pause] = faults_[endpoint];
  if (is_lie) pause = pause_max;
  until = Clock::now() + pause;
  pause = std::min(2 * pause, pause_max);
}

void FanOut::note_worked(const std::string& endpoint) {
  const std::scoped_lock lock{mutex_};
  faults_.erase(endpoint);
}

bool FanOut::is_open_to(const std::string& content_id, const std::string& ticket) const {
  return core::is_chunk_ticket(ticket, self_.key, content_id, unix_s());
}

}  // namespace nucleus::provisioner
