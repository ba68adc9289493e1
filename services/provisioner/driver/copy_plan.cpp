#include "services/provisioner/driver/copy_plan.hpp"

#include <algorithm>
#include <set>

namespace nucleus::provisioner {

namespace {

constexpr std::chrono::seconds speed_window{10};
constexpr std::chrono::milliseconds speed_piece{100};

}  // namespace

core::Sha256 digest_in(const msg::ChunkPage& page, std::uint64_t index) {
  core::Sha256 digest;
  const auto at = index % msg::chunks_of_page * msg::chunk_digest_bytes;
  std::ranges::copy_n(page.digests.data() + at, msg::chunk_digest_bytes, digest.begin());
  return digest;
}

void add_page(CopyPlan& plan, const msg::ChunkPage& page,
              const std::function<bool(const core::Sha256&)>& has) {
  plan.size_bytes = page.size_bytes;
  const auto first = page.page * msg::chunks_of_page;
  const auto count = msg::chunks_in_page(page.size_bytes, page.page);
  for (auto index = first; index < first + count; ++index) {
    const auto digest = digest_in(page, index);
    if (digest == core::Sha256{}) continue;
    const auto bytes = msg::bytes_of_chunk(page.size_bytes, index);
    plan.total_bytes += bytes;
    plan.chunks.push_back(core::Sha256Prefix{}(digest));
    if (has(digest))
      plan.copied_bytes += bytes;
    else
      plan.missing.push_back(static_cast<std::uint32_t>(index));
  }
}

void put_first(CopyPlan& plan, const std::vector<std::uint32_t>& first) {
  std::vector<std::uint32_t> ordered;
  std::set<std::uint32_t> taken;
  for (const auto index : first)
    if (std::ranges::binary_search(plan.missing, index) && taken.insert(index).second)
      ordered.push_back(index);
  plan.first_count = ordered.size();
  std::ranges::copy_if(plan.missing, std::back_inserter(ordered),
                       [&](std::uint32_t index) { return !taken.contains(index); });
  plan.missing = std::move(ordered);
}

void CopyPace::take(std::uint64_t bytes, Clock::time_point now) {
  const std::chrono::duration<double> least{static_cast<double>(bytes) /
                                            static_cast<double>(bytes_per_s_max_)};
  next_ = std::max(next_, now) + std::chrono::duration_cast<Clock::duration>(least);
}

void CopySpeed::add(std::uint64_t bytes, Clock::time_point begun, Clock::time_point now) {
  while (!pieces_.empty() && pieces_.front().ended + speed_window < now) pieces_.pop_front();
  if (!pieces_.empty() && pieces_.back().begun + speed_piece > now) {
    pieces_.back().ended = now;
    pieces_.back().bytes += bytes;
    return;
  }
  pieces_.push_back({.begun = begun, .ended = now, .bytes = bytes});
}

std::uint64_t CopySpeed::bytes_per_s(Clock::time_point now) const {
  std::uint64_t bytes = 0;
  auto begun = now;
  for (const auto& piece : pieces_) {
    if (piece.ended + speed_window < now) continue;
    begun = std::min(begun, piece.begun);
    bytes += piece.bytes;
  }
  const auto elapsed = std::max(std::chrono::duration<double>(now - begun),
                                std::chrono::duration<double>(speed_piece));
  return static_cast<std::uint64_t>(static_cast<double>(bytes) / elapsed.count());
}

}  // namespace nucleus::provisioner
