#include "services/provisioner/driver/image_copier.hpp"

#include <algorithm>
#include <utility>

#include "core/chunks/chunk.hpp"
#include "core/log/log.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;

namespace {

constexpr std::chrono::milliseconds look_interval{500};
constexpr std::chrono::seconds count_interval{2};  // between counts of what else has come or gone
constexpr std::chrono::seconds retry_first{1};
constexpr std::chrono::seconds retry_max{60};
constexpr std::size_t reason_bytes_max = 1024;
constexpr const char* switched_off = "provisioner.copy_rate_mb_s is 0";
constexpr const char* cache_full = "the cache of chunks is full: provisioner.chunk_cache_mb";

}  // namespace

ImageCopier::ImageCopier(std::uint64_t bytes_per_s_max, ChunkFetcher& fetcher, BootReads& boots,
                         ChunkMetrics& metrics)
    : fetcher_{fetcher}, boots_{boots}, metrics_{metrics}, pace_{bytes_per_s_max}, thread_{[this] {
        run();
      }} {}

ImageCopier::~ImageCopier() {
  {
    const std::scoped_lock lock{mutex_};
    is_ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ImageCopier::set_running(const Running& running) {
  const std::scoped_lock lock{mutex_};
  std::erase_if(copies_, [&](const auto& copy) { return !running.contains(copy.first); });
  for (const auto& [content_id, nodes] : running) copies_[content_id].nodes = nodes;
  changed_.notify_all();
}

std::vector<msg::ImageCopy> ImageCopier::copies() const {
  const std::scoped_lock lock{mutex_};
  const auto now = Clock::now();
  std::vector<msg::ImageCopy> copies;
  for (const auto& [content_id, copy] : copies_) {
    const bool is_complete = copy.is_planned && copy.plan.missing.empty();
    const bool is_unknown = !copy.is_planned && copy.reason.empty();
    if (is_complete || is_unknown) continue;
    for (const auto& node_id : copy.nodes)
      if (copies.size() < msg::image_copies_max)
        copies.push_back({.node_id = node_id,
                          .copied_bytes = copy.plan.copied_bytes,
                          .total_bytes = copy.plan.total_bytes,
                          .bytes_per_s = copy.speed.bytes_per_s(now),
                          .reason = pace_.may_copy() ? copy.reason : std::string(switched_off)});
  }
  return copies;
}

void ImageCopier::run() {
  std::unique_lock lock{mutex_};
  while (!is_ending_) {
    const auto now = Clock::now();
    const auto to_plan = next_to_plan(now);
    const auto to_copy = to_plan.empty() && pace_.next() <= now ? next_to_copy(now) : std::string();
    lock.unlock();
    if (!to_plan.empty()) plan(to_plan);
    if (!to_copy.empty()) copy_chunk(to_copy);
    take_boots(now);
    send_working_sets(now);
    protect_chunks();
    lock.lock();
    count_incomplete();
    if (is_ending_ || !to_plan.empty() || !to_copy.empty()) continue;
    const auto next_look = Clock::now() + look_interval;
    const bool is_paced = pace_.next() > now && !next_to_copy(pace_.next()).empty();
    changed_.wait_until(lock, is_paced ? std::min(pace_.next(), next_look) : next_look);
  }
}

/// One that is new, or of which chunks may have come or gone otherwise; empty = none.
std::string ImageCopier::next_to_plan(Clock::time_point now) const {
  const auto changes = fetcher_.cache().changes();
  for (const auto& [content_id, copy] : copies_) {
    if (copy.not_before > now) continue;
    if (!copy.is_planned) return content_id;
    const bool has_ended = copy.next == copy.plan.missing.size();
    if (has_ended && !copy.plan.missing.empty()) return content_id;
    const bool is_under_way = !has_ended && copy.reason.empty() && pace_.may_copy();
    if (!is_under_way && copy.cache_changes != changes && copy.planned + count_interval <= now)
      return content_id;
  }
  return {};
}

/// Contents take turns, but those of which chunks are missing that nodes read at their start are
/// before others.
std::string ImageCopier::next_to_copy(Clock::time_point now) const {
  if (!pace_.may_copy()) return {};
  std::string found;
  int best = 0;
  for (const auto& [content_id, copy] : copies_) {
    if (copy.not_before > now || copy.next >= copy.plan.missing.size()) continue;
    const int rank = 1 + (content_id > last_ ? 1 : 0) + (copy.next < copy.plan.first_count ? 2 : 0);
    if (rank <= best) continue;
    best = rank;
    found = content_id;
  }
  return found;
}

void ImageCopier::plan(const std::string& content_id) {
  bool is_first_known = false;
  std::vector<std::uint32_t> first;
  {
    const std::scoped_lock lock{mutex_};
    const auto known = copies_.find(content_id);
    if (known == copies_.end()) return;
    is_first_known = known->second.is_planned;
    first = known->second.first;
  }
  const auto changes = fetcher_.cache().changes();
  bool has_working_set = false;
  if (!is_first_known) {
    const auto set = fetcher_.working_set(content_id);
    has_working_set = set && *set;
    if (has_working_set) first = (*set)->indexes;
  }
  auto made = make_plan(content_id, first);
  if (!made) return note_failure(content_id, made.error().detail);
  const std::scoped_lock lock{mutex_};
  const auto known = copies_.find(content_id);
  if (known == copies_.end()) return;
  auto& copy = known->second;
  const bool is_complete = made->missing.empty();
  if (is_complete && !(copy.is_planned && copy.plan.missing.empty()))
    core::log::info("image_copied", {{"content", content_id}, {"bytes", made->total_bytes}});
  if (is_complete || !copy.is_planned) copy.reason.clear();
  copy.plan = std::move(*made);
  copy.next = 0;
  copy.is_planned = true;
  copy.cache_changes = changes;
  copy.planned = Clock::now();
  copy.first = std::move(first);
  if (!has_working_set) return;
  copy.has_working_set = true;
  boots_.set_recorded(content_id);
}

core::Result<CopyPlan> ImageCopier::make_plan(const std::string& content_id,
                                              const std::vector<std::uint32_t>& first) {
  const auto size = fetcher_.size_bytes(content_id);
  if (!size) return std::unexpected(size.error());
  CopyPlan plan;
  for (std::uint64_t number = 0; number < msg::page_count(*size); ++number) {
    const auto page = fetcher_.page(content_id, number);
    if (!page) return std::unexpected(page.error());
    add_page(plan, **page,
             [&](const core::Sha256& digest) { return fetcher_.cache().has(digest); });
  }
  put_first(plan, first);
  return plan;
}

void ImageCopier::copy_chunk(const std::string& content_id) {
  std::uint64_t index = 0;
  std::uint64_t bytes = 0;
  {
    const std::scoped_lock lock{mutex_};
    const auto known = copies_.find(content_id);
    if (known == copies_.end()) return;
    const auto& copy = known->second;
    index = copy.plan.missing[copy.next];
    bytes = msg::bytes_of_chunk(copy.plan.size_bytes, index);
  }
  if (fetcher_.cache().room() < core::packed_chunk_bytes_max)
    return note_failure(content_id, cache_full);
  const auto begun = Clock::now();
  const auto copied = fetcher_.copy(content_id, index);
  if (!copied) return note_failure(content_id, copied.error().detail);
  const std::scoped_lock lock{mutex_};
  const auto known = copies_.find(content_id);
  if (known == copies_.end()) return;
  auto& copy = known->second;
  ++copy.next;
  copy.plan.copied_bytes += bytes;
  copy.reason.clear();
  copy.retry_delay = retry_first;
  last_ = content_id;
  if (!*copied) return;  // a node has read it meanwhile
  copy.speed.add(bytes, begun, Clock::now());
  pace_.take(bytes, begun);
  metrics_.copied_bytes.Increment(static_cast<double>(bytes));
}

void ImageCopier::note_failure(const std::string& content_id, const std::string& reason) {
  const std::scoped_lock lock{mutex_};
  const auto known = copies_.find(content_id);
  if (known == copies_.end()) return;
  auto& copy = known->second;
  if (copy.reason != reason)
    core::log::warning("image_not_copied", {{"content", content_id}, {"reason", reason}});
  copy.reason = reason.substr(0, reason_bytes_max);
  copy.not_before = Clock::now() + copy.retry_delay;
  copy.retry_delay = std::min(2 * copy.retry_delay, retry_max);
}

void ImageCopier::take_boots(Clock::time_point now) {
  for (auto& [content_id, set] : boots_.take_finished(now)) {
    const std::scoped_lock lock{mutex_};
    const auto known = copies_.find(content_id);
    if (known == copies_.end() || known->second.has_working_set) continue;
    unsent_.try_emplace(content_id, Unsent{.set = std::move(set)});
  }
}

/// Once: the first that arrives at the image store stays. One whose content is not here any more
/// is dropped.
void ImageCopier::send_working_sets(Clock::time_point now) {
  for (auto at = unsent_.begin(); at != unsent_.end();) {
    auto& [content_id, unsent] = *at;
    if (unsent.not_before > now) {
      ++at;
      continue;
    }
    const auto sent = fetcher_.send_working_set(content_id, unsent.set);
    if (!sent && sent.error().code == ErrorCode::unavailable) {
      unsent.not_before = now + unsent.retry_delay;
      unsent.retry_delay = std::min(2 * unsent.retry_delay, retry_max);
      ++at;
      continue;
    }
    if (sent)
      core::log::info("working_set_sent",
                      {{"content", content_id}, {"chunks", unsent.set.indexes.size()}});
    if (sent) boots_.set_recorded(content_id);
    const std::scoped_lock lock{mutex_};
    if (const auto known = copies_.find(content_id); known != copies_.end())
      known->second.has_working_set = true;
    at = unsent_.erase(at);
  }
}

/// The chunks of what is copied are deleted last.
void ImageCopier::protect_chunks() {
  ChunkPrefixes needed;
  {
    const std::scoped_lock lock{mutex_};
    std::set<std::string> planned;
    for (const auto& [content_id, copy] : copies_)
      if (copy.is_planned) planned.insert(content_id);
    if (planned == protected_) return;
    for (const auto& content_id : planned) {
      const auto& chunks = copies_.at(content_id).plan.chunks;
      needed.insert(needed.end(), chunks.begin(), chunks.end());
    }
    protected_ = std::move(planned);
  }
  std::ranges::sort(needed);
  const auto repeated = std::ranges::unique(needed);
  needed.erase(repeated.begin(), repeated.end());
  fetcher_.cache().set_needed(std::move(needed));
}

void ImageCopier::count_incomplete() {
  const auto count = std::ranges::count_if(copies_, [](const auto& copy) {
    return !copy.second.is_planned || !copy.second.plan.missing.empty();
  });
  metrics_.images_incomplete.Set(static_cast<double>(count));
}

}  // namespace nucleus::provisioner
