// How the content of a disk is described and fetched in chunks, over HTTPS between hosts and the
// image store (docs/adr/0071). These are bodies of requests and responses; none is a topic.
#pragma once

#include <optional>
#include <set>

#include "messages/common.hpp"

namespace nucleus::msg {

constexpr std::uint32_t chunk_list_version = 1;
constexpr std::uint64_t chunk_bytes = 1 << 20;  // of the content; the last chunk may be shorter
constexpr std::uint64_t chunks_of_page = 1024;  // the last page may have fewer
constexpr std::uint64_t content_bytes_max = 1ULL << 50;
constexpr std::size_t chunk_digest_bytes = 32;  // SHA-256

/// The digests of 1 GiB of a content: chunk I is entry I % 1024 of page I / 1024.
struct ChunkPage {
  std::uint32_t version = 0;     // 1; a reader refuses others
  std::uint64_t size_bytes = 0;  // of the whole content, 0..2^50
  std::uint64_t page = 0;
  /// 32 bytes for each chunk of the page: the SHA-256 of its plain bytes; all 0 = a chunk of zeros,
  /// which is never sent.
  std::string digests = {};
  NUCLEUS_FIELDS(version, size_bytes, page, digests);
};

constexpr std::uint64_t chunk_count(std::uint64_t size_bytes) {
  return size_bytes / chunk_bytes + (size_bytes % chunk_bytes != 0);
}
constexpr std::uint64_t page_count(std::uint64_t size_bytes) {
  const auto chunks = chunk_count(size_bytes);
  return chunks / chunks_of_page + (chunks % chunks_of_page != 0);
}
/// The number of chunks in a page; 0 if the page does not exist.
constexpr std::uint64_t chunks_in_page(std::uint64_t size_bytes, std::uint64_t page) {
  const auto chunks = chunk_count(size_bytes);
  if (page >= page_count(size_bytes)) return 0;
  const auto rest = chunks - page * chunks_of_page;
  return rest < chunks_of_page ? rest : chunks_of_page;
}
/// The plain bytes of a chunk that exists.
constexpr std::uint64_t bytes_of_chunk(std::uint64_t size_bytes, std::uint64_t index) {
  const auto rest = size_bytes - index * chunk_bytes;
  return rest < chunk_bytes ? rest : chunk_bytes;
}

/// The first rule that the page breaks, as an answer to the request for page `page`.
inline std::optional<Error> check(const ChunkPage& list, std::uint64_t page) {
  if (list.version != chunk_list_version)
    return invalid("version", "version " + std::to_string(list.version) + " is not known");
  if (list.size_bytes > content_bytes_max) return invalid("size_bytes", "size_bytes is over 2^50");
  if (list.page != page) return invalid("page", "another page than the requested one");
  if (list.digests.size() != chunks_in_page(list.size_bytes, page) * chunk_digest_bytes)
    return invalid("digests", "the number of digests is not that of the page's chunks");
  return std::nullopt;
}

/// The chunks of a content that a node read until it was ready, in order. Recorded once for each
/// content; hosts copy these first.
struct WorkingSet {
  std::uint32_t version = 0;                // 1; a reader refuses others
  std::vector<std::uint32_t> indexes = {};  // 1..16384, each once
  NUCLEUS_FIELDS(version, indexes);
};

constexpr std::size_t working_set_max = 16'384;

/// The first rule that the set breaks, as one of a content of this size.
inline std::optional<Error> check(const WorkingSet& set, std::uint64_t size_bytes) {
  if (set.version != chunk_list_version)
    return invalid("version", "version " + std::to_string(set.version) + " is not known");
  if (set.indexes.empty() || set.indexes.size() > working_set_max)
    return invalid("indexes", "indexes must have 1 to 16384 entries");
  std::set<std::uint32_t> seen;
  for (const auto index : set.indexes) {
    if (index >= chunk_count(size_bytes))
      return invalid("indexes", "index " + std::to_string(index) + " is not in the content");
    if (!seen.insert(index).second)
      return invalid("indexes", "index " + std::to_string(index) + " stands twice");
  }
  return std::nullopt;
}

/// A host says that it fetches a content and serves its chunks.
struct JoinFanOut {
  std::string endpoint = {};   // ADDRESS:PORT where it serves others; empty = it only asks them
  std::string authority = {};  // PEM: verifies its certificate; at most 4 KiB
  std::string key = {};  // 64 hex digits, its secret: the store signs tickets for others with it
  std::int64_t joined_unix_s = 0;  // of the earlier reply; 0 = it has none
  NUCLEUS_FIELDS(endpoint, authority, key, joined_unix_s);
};

constexpr std::size_t authority_bytes_max = 4096;
constexpr std::size_t fan_out_key_digits = 64;

inline std::optional<Error> check(const JoinFanOut& request) {
  if (request.authority.size() > authority_bytes_max)
    return invalid("authority", "authority is over 4 KiB");
  if (request.endpoint.empty() != request.authority.empty())
    return invalid("authority", "endpoint and authority must be set together");
  if (!request.endpoint.empty() && request.key.size() != fan_out_key_digits)
    return invalid("key", "key must have 64 hex digits");
  if (request.joined_unix_s < 0) return invalid("joined_unix_s", "joined_unix_s must not be < 0");
  return std::nullopt;
}

/// A host to fetch chunks from.
struct ChunkPeer {
  std::string endpoint = {};
  std::string authority = {};  // PEM
  std::string ticket = {};     // for this content, until `ticket_end_unix_s`
  NUCLEUS_FIELDS(endpoint, authority, ticket);
};

/// Chunk I is in stripe I % stripes, each of which has a tree of its own.
struct FanOutPlan {
  std::int64_t joined_unix_s = 0;  // when it joined first
  std::int64_t ticket_end_unix_s = 0;
  std::vector<ChunkPeer> peers = {};                     // 0..32
  std::vector<std::vector<std::uint32_t>> stripes = {};  // indexes of peers, to be asked in order
  NUCLEUS_FIELDS(joined_unix_s, ticket_end_unix_s, peers, stripes);
};

constexpr std::size_t fan_out_stripes = 16;
constexpr std::size_t fan_out_parents_max = 2;
constexpr std::size_t fan_out_peers_max = fan_out_stripes * fan_out_parents_max;

/// The first rule that the plan breaks.
inline std::optional<Error> check(const FanOutPlan& plan) {
  if (plan.peers.size() > fan_out_peers_max) return invalid("peers", "peers are over 32");
  if (plan.stripes.size() != fan_out_stripes) return invalid("stripes", "stripes must be 16");
  for (const auto& stripe : plan.stripes) {
    if (stripe.size() > fan_out_parents_max) return invalid("stripes", "a stripe has over 2 peers");
    for (const auto peer : stripe)
      if (peer >= plan.peers.size()) return invalid("stripes", "a stripe names no peer");
  }
  return std::nullopt;
}

}  // namespace nucleus::msg
