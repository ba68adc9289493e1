#include "services/image_store/driver/chunk_hosts.hpp"

#include <algorithm>

#include "core/chunks/chunk.hpp"
#include "core/config/endpoint.hpp"

namespace nucleus::image_store {

void ChunkHosts::forget_silent(std::int64_t now_unix_s) {
  if (tidied_unix_s_ == now_unix_s) return;
  tidied_unix_s_ = now_unix_s;
  for (auto& [id, content] : contents_)
    if (std::erase_if(content.hosts, [&](const auto& host) {
          return host.second.seen_unix_s + fan_out_keep_s < now_unix_s;
        }) > 0)
      content.members.clear();
  std::erase_if(contents_, [](const auto& content) { return content.second.hosts.empty(); });
}

void ChunkHosts::arrange(Content& content) {
  content.orders.clear();
  content.ranks.clear();
  for (const auto& [endpoint, host] : content.hosts)
    content.members.push_back({.endpoint = endpoint, .joined_unix_s = host.joined_unix_s});
  for (std::size_t stripe = 0; stripe < msg::fan_out_stripes; ++stripe) {
    auto order = fan_out_order(content.members, stripe);
    std::vector<std::size_t> ranks(order.size());
    for (std::size_t rank = 0; rank < order.size(); ++rank) ranks[order[rank]] = rank;
    content.orders.push_back(std::move(order));
    content.ranks.push_back(std::move(ranks));
  }
}

void ChunkHosts::add_peers(msg::FanOutPlan& plan, const std::string& content_id,
                           const Content& content, const std::string& endpoint) {
  const auto self =
      std::ranges::lower_bound(content.members, endpoint, {}, &FanOutMember::endpoint);
  const bool is_member = self != content.members.end() && self->endpoint == endpoint;
  std::map<std::size_t, std::uint32_t> known;  // members' places in `plan.peers`
  for (std::size_t stripe = 0; stripe < msg::fan_out_stripes; ++stripe) {
    // A host that serves no others ranks below all members.
    const auto rank =
        is_member ? content.ranks[stripe][static_cast<std::size_t>(self - content.members.begin())]
                  : content.members.size();
    for (const auto parent : fan_out_parents(rank, msg::fan_out_parents_max)) {
      const auto member = content.orders[stripe][parent];
      const auto [at, is_new] =
          known.try_emplace(member, static_cast<std::uint32_t>(plan.peers.size()));
      if (is_new) {
        const auto& peer = content.members[member].endpoint;
        const auto& host = content.hosts.at(peer);
        plan.peers.push_back(
            {.endpoint = peer,
             .authority = host.authority,
             .ticket = core::make_chunk_ticket(host.key, content_id, plan.ticket_end_unix_s)});
      }
      plan.stripes[stripe].push_back(at->second);
    }
  }
}

core::Result<msg::FanOutPlan> ChunkHosts::join(const std::string& content_id,
                                               const msg::JoinFanOut& request,
                                               std::int64_t now_unix_s) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  const auto& endpoint = request.endpoint;
  if (!endpoint.empty() && !core::parse_endpoint(endpoint))
    return std::unexpected(msg::invalid("endpoint", "endpoint must be ADDRESS:PORT"));
  const std::scoped_lock lock{mutex_};
  forget_silent(now_unix_s);
  msg::FanOutPlan plan{.ticket_end_unix_s = now_unix_s + chunk_ticket_s};
  plan.stripes.resize(msg::fan_out_stripes);
  if (contents_.size() >= fan_out_contents_max && !contents_.contains(content_id)) return plan;
  auto& content = contents_[content_id];
  const bool is_known = content.hosts.contains(endpoint);
  if (!endpoint.empty() && (is_known || content.hosts.size() < fan_out_hosts_max)) {
    auto& host = content.hosts[endpoint];
    if (!is_known) {
      content.members.clear();
      const bool is_back = request.joined_unix_s > 0 && request.joined_unix_s < now_unix_s;
      host.joined_unix_s = is_back ? request.joined_unix_s : now_unix_s;
    }
    host.seen_unix_s = now_unix_s;
    host.authority = request.authority;
    host.key = request.key;
    plan.joined_unix_s = host.joined_unix_s;
  }
  if (content.members.empty()) arrange(content);
  add_peers(plan, content_id, content, endpoint);
  if (content.hosts.empty()) contents_.erase(content_id);
  return plan;
}

std::size_t ChunkHosts::count() const {
  const std::scoped_lock lock{mutex_};
  std::size_t all = 0;
  for (const auto& [id, content] : contents_) all += content.hosts.size();
  return all;
}

}  // namespace nucleus::image_store
