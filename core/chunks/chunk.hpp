// Chunks of contents: named by the SHA-256 of their plain bytes, sent and kept packed by zstd; and
// the tickets by which hosts give them to each other. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/digest/digest.hpp"
#include "core/result.hpp"

namespace nucleus::core {

/// More than a packed chunk ever has: zstd adds less than 1 % to what it cannot pack.
constexpr std::size_t packed_chunk_bytes_max = (1 << 20) + (16 << 10);

bool is_all_zero(std::string_view bytes);

/// `internal` if zstd has no memory. At most 1 MiB of plain bytes.
Result<std::string> pack_chunk(std::string_view plain);
/// `invalid_argument` unless it unpacks to exactly `size` bytes, at most 1 MiB, with this digest.
/// It never takes more memory than that.
Result<std::string> unpack_chunk(std::string_view packed, std::size_t size, const Sha256& digest);

/// 64 hex digits, as `to_hex` writes them; nothing if it is anything else.
std::optional<Sha256> parse_digest(std::string_view text);

/// INDEX/DIGEST, the last part of a chunk's path.
struct ChunkName {
  std::uint64_t index = 0;
  Sha256 digest = {};
};
std::optional<ChunkName> parse_chunk_name(std::string_view text);
std::string to_text(const ChunkName& name);

/// Opens the chunks of a content at the host that has the key, until the end: EXPIRES-HMAC.
std::string make_chunk_ticket(std::string_view key, std::string_view content_id,
                              std::int64_t end_unix_s);
bool is_chunk_ticket(std::string_view ticket, std::string_view key, std::string_view content_id,
                     std::int64_t now_unix_s);

}  // namespace nucleus::core
