#include "core/hostlist/peer_ranges.hpp"

#include <fmt/format.h>

#include <charconv>

#include "core/hostlist/hostlist.hpp"
#include "messages/ipv4.hpp"

namespace nucleus::core::hostlist {

namespace {

constexpr std::size_t suffix_digits_max = 9;

/// A peer, split at the number at the end of its name.
struct Numbered {
  std::string prefix = {};
  std::string digits = {};  // empty = no number
  std::uint32_t number = 0;
  std::optional<msg::Ipv4> address = {};
};

Numbered split_number(const msg::Peer& peer) {
  auto start = peer.name.size();
  while (start > 0 && peer.name.size() - start < suffix_digits_max && peer.name[start - 1] >= '0' &&
         peer.name[start - 1] <= '9')
    --start;
  Numbered parts{.prefix = peer.name.substr(0, start),
                 .digits = peer.name.substr(start),
                 .address = msg::parse_ipv4(peer.ip)};
  std::from_chars(parts.digits.data(), parts.digits.data() + parts.digits.size(), parts.number);
  return parts;
}

bool follows(const Numbered& first, const Numbered& last, const Numbered& next) {
  return !last.digits.empty() && last.prefix == next.prefix && next.number == last.number + 1 &&
         next.digits == fmt::format("{:0{}}", next.number, first.digits.size()) && last.address &&
         next.address && *next.address == *last.address + 1;
}

}  // namespace

std::vector<msg::PeerRange> collect_peers(std::span<const msg::Peer> peers) {
  std::vector<msg::PeerRange> ranges;
  for (std::size_t i = 0; i < peers.size();) {
    const Numbered first = split_number(peers[i]);
    Numbered last = first;
    std::size_t end = i + 1;
    for (; end < peers.size(); ++end) {
      Numbered next = split_number(peers[end]);
      if (!follows(first, last, next)) break;
      last = std::move(next);
    }
    ranges.push_back({.names = end == i + 1
                                   ? peers[i].name
                                   : first.prefix + "[" + first.digits + "-" + last.digits + "]",
                      .first_ip = peers[i].ip});
    i = end;
  }
  return ranges;
}

Result<std::vector<msg::Peer>> expand_peers(std::span<const msg::PeerRange> ranges) {
  std::vector<msg::Peer> peers;
  for (const auto& range : ranges) {
    const auto names = expand(range.names, names_max - peers.size());
    if (!names) return std::unexpected(names.error());
    auto address = msg::parse_ipv4(range.first_ip);
    if (!address)
      return refuse(ErrorCode::invalid_argument, "a peer has no address", "peers.first_ip");
    for (const auto& name : *names)
      peers.push_back({.name = name, .ip = msg::ipv4_text((*address)++)});
  }
  return peers;
}

}  // namespace nucleus::core::hostlist
