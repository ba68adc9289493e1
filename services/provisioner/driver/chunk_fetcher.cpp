#include "services/provisioner/driver/chunk_fetcher.hpp"

#include <algorithm>

#include "core/chunks/chunk.hpp"
#include "services/provisioner/driver/copy_plan.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;

namespace {

constexpr std::size_t tickets_tried_max = 4;
constexpr std::size_t recent_max = 32;   // chunks in memory, plain and packed
constexpr std::size_t pages_max = 1024;  // of 32 KiB, for 1 GiB of content each
constexpr long peer_connect_timeout_s = 1;
constexpr long peer_transfer_timeout_s = 60;
// A store that many hosts read from is slow, but sends: to begin again would only add to that.
constexpr long store_transfer_timeout_s = 120;
constexpr long store_stall_s = 30;

core::Result<msg::ChunkPage> parse_page(const std::string& body, std::uint64_t number) {
  try {
    auto page = msg::decode<msg::ChunkPage>(body);
    if (auto broken = msg::check(page, number)) return std::unexpected(*broken);
    return page;
  } catch (const msg::DecodeError& error) {
    return core::refuse(ErrorCode::invalid_argument, error.what());
  }
}

std::string chunk_path(const std::string& content_id, std::uint64_t index,
                       const core::Sha256& digest) {
  return "/base/" + content_id + "/disk/chunks/" +
         core::to_text(core::ChunkName{.index = index, .digest = digest});
}

std::string working_set_path(const std::string& content_id) {
  return "/base/" + content_id + "/disk/working-set";
}

}  // namespace

ChunkFetcher::ChunkFetcher(Options options, ChunkMetrics& metrics)
    : options_{std::move(options)},
      metrics_{metrics},
      cache_{options_.cache_directory, options_.cache_bytes_max, metrics},
      lists_{options_.lists_directory},
      store_{{.ca_file = options_.ca_file,
              .transfer_timeout_s = store_transfer_timeout_s,
              .stall_timeout_s = store_stall_s}},
      peers_{{.connect_timeout_s = peer_connect_timeout_s,
              .transfer_timeout_s = peer_transfer_timeout_s,
              .stall_timeout_s = options_.peer_stall_s}},
      fan_out_{options_.self, options_.store_url, store_} {}

ChunkFetcher::~ChunkFetcher() {
  joiner_.stop();
}

void ChunkFetcher::add_needed(const std::string& content_id, const std::string& ticket) {
  const std::scoped_lock lock{mutex_};
  needed_[content_id].insert(ticket);
}

void ChunkFetcher::set_needed(Needed needed) {
  std::vector<std::string> gone;
  {
    const std::scoped_lock lock{mutex_};
    for (const auto& [content_id, tickets] : needed_)
      if (!needed.contains(content_id)) gone.push_back(content_id);
    needed_ = needed;
    std::erase_if(pages_, [&](const auto& page) { return !needed.contains(page.first.first); });
    if (is_joining_) needed.clear();
    if (!needed.empty()) is_joining_ = true;
  }
  for (const auto& content_id : gone) fan_out_.leave(content_id);
  if (needed.empty()) return;
  joiner_.submit([this, needed = std::move(needed)] {
    for (const auto& [content_id, tickets] : needed)
      fan_out_.join_if_due(content_id, *tickets.begin());
    const std::scoped_lock lock{mutex_};
    is_joining_ = false;
  });
}

bool ChunkFetcher::is_needed(const std::string& content_id, const std::string& ticket) const {
  const std::scoped_lock lock{mutex_};
  const auto known = needed_.find(content_id);
  // By digest, so that a look-up takes the same time for every wrong one.
  return known != needed_.end() && std::ranges::any_of(known->second, [&](const auto& one) {
           return core::is_equal_in_constant_time(core::sha256(one), core::sha256(ticket));
         });
}

/// By the ticket of any volume here: one of them may have been removed at the store already.
template <class Reply>
core::Result<Reply> ChunkFetcher::ask_store(
    const std::string& content_id, const std::function<core::Result<Reply>(StoreReader&)>& ask) {
  std::vector<std::string> tickets;
  {
    const std::scoped_lock lock{mutex_};
    if (const auto known = needed_.find(content_id); known != needed_.end())
      tickets.assign(known->second.begin(), known->second.end());
  }
  if (tickets.size() > tickets_tried_max) tickets.resize(tickets_tried_max);
  core::Result<Reply> reply =
      core::refuse(ErrorCode::not_found, "no volume of this host has this content");
  for (const auto& ticket : tickets) {
    fan_out_.join_if_due(content_id, ticket);
    reply = ask(*store_.take(options_.store_url, {}, ticket));
    if (reply || reply.error().code != ErrorCode::not_found) break;
  }
  return reply;
}

core::Result<std::string> ChunkFetcher::get_from_store(const std::string& content_id,
                                                       const std::string& path) {
  return ask_store<std::string>(
      content_id, [&](StoreReader& reader) { return reader.get(options_.store_url + path); });
}

core::Result<ChunkFetcher::PagePtr> ChunkFetcher::page(const std::string& content_id,
                                                       std::uint64_t number) {
  const std::pair key{content_id, number};
  {
    std::unique_lock lock{mutex_};
    landed_.wait(lock, [&] { return !pages_under_way_.contains(key); });
    if (const auto known = pages_.find(key); known != pages_.end()) return known->second;
    pages_under_way_.insert(key);
  }
  auto fetched = fetch_page(content_id, number);
  const std::scoped_lock lock{mutex_};
  pages_under_way_.erase(key);
  if (fetched && needed_.contains(content_id)) {
    if (pages_.size() >= pages_max) pages_.erase(pages_.begin());
    pages_[key] = *fetched;
  }
  landed_.notify_all();
  return fetched;
}

core::Result<ChunkFetcher::PagePtr> ChunkFetcher::fetch_page(const std::string& content_id,
                                                             std::uint64_t number) {
  if (const auto kept = lists_.find(content_id, number))
    if (auto parsed = parse_page(*kept, number))
      return std::make_shared<const msg::ChunkPage>(std::move(*parsed));
  const auto body = get_from_store(
      content_id, "/base/" + content_id + "/disk/chunks?page=" + std::to_string(number));
  if (!body) return std::unexpected(body.error());
  auto parsed = parse_page(*body, number);
  if (!parsed)
    return core::refuse(ErrorCode::unavailable,
                        "the image store's list of chunks is damaged: " + parsed.error().detail);
  lists_.keep(content_id, number, *body);
  return std::make_shared<const msg::ChunkPage>(std::move(*parsed));
}

core::Result<std::uint64_t> ChunkFetcher::size_bytes(const std::string& content_id) {
  const auto first = page(content_id, 0);
  if (!first) return std::unexpected(first.error());
  return (*first)->size_bytes;
}

core::Result<ChunkFetcher::Wanted> ChunkFetcher::want(const std::string& content_id,
                                                      std::uint64_t index) {
  const auto list = page(content_id, index / msg::chunks_of_page);
  if (!list) return std::unexpected(list.error());
  if (index >= msg::chunk_count((*list)->size_bytes))
    return core::refuse(ErrorCode::not_found, "the content has no such chunk");
  return Wanted{.content_id = content_id,
                .index = index,
                .digest = digest_in(**list, index),
                .size = msg::bytes_of_chunk((*list)->size_bytes, index)};
}

core::Result<std::string> ChunkFetcher::read(const std::string& content_id, std::uint64_t first,
                                             std::uint64_t count) {
  std::string bytes;
  bytes.reserve(count);
  while (bytes.size() < count) {
    const auto at = first + bytes.size();
    const auto wanted = want(content_id, at / msg::chunk_bytes);
    if (!wanted) return std::unexpected(wanted.error());
    const auto within = at % msg::chunk_bytes;
    if (within >= wanted->size)
      return core::refuse(ErrorCode::wrong_state, "the content ends before that");
    const auto part = std::min<std::uint64_t>(count - bytes.size(), wanted->size - within);
    if (wanted->digest == core::Sha256{}) {
      bytes.append(part, '\0');
      continue;
    }
    const auto found = chunk(*wanted);
    if (!found) return std::unexpected(found.error());
    bytes.append((*found)->plain, within, part);
  }
  return bytes;
}

core::Result<std::string> ChunkFetcher::packed_chunk(const std::string& content_id,
                                                     std::uint64_t index,
                                                     const core::Sha256& digest) {
  const auto wanted = want(content_id, index);
  if (!wanted) return std::unexpected(wanted.error());
  if (wanted->digest != digest || digest == core::Sha256{})
    return core::refuse(ErrorCode::not_found, "the chunk has another digest");
  const auto found = chunk(*wanted);
  if (!found) return std::unexpected(found.error());
  return (*found)->packed;
}

core::Result<bool> ChunkFetcher::copy(const std::string& content_id, std::uint64_t index) {
  const auto wanted = want(content_id, index);
  if (!wanted) return std::unexpected(wanted.error());
  if (cache_.has(wanted->digest)) return false;
  const auto found = chunk(*wanted, Use::copy);
  if (!found) return std::unexpected(found.error());
  // It may have been in memory alone.
  if (!cache_.has(wanted->digest))
    (void)cache_.keep(wanted->digest, wanted->size, (*found)->packed);
  if (cache_.has(wanted->digest)) return true;
  return core::refuse(ErrorCode::no_capacity, "a chunk cannot be kept: is the host's disk full?");
}

core::Result<std::optional<msg::WorkingSet>> ChunkFetcher::working_set(
    const std::string& content_id) {
  const auto size = size_bytes(content_id);
  if (!size) return std::unexpected(size.error());
  const auto body = get_from_store(content_id, working_set_path(content_id));
  if (!body && body.error().code == ErrorCode::not_found) return std::nullopt;
  if (!body) return std::unexpected(body.error());
  try {
    auto set = msg::decode<msg::WorkingSet>(*body);
    if (msg::check(set, *size)) return std::nullopt;
    return set;
  } catch (const msg::DecodeError&) {
    return std::nullopt;
  }
}

core::Result<void> ChunkFetcher::send_working_set(const std::string& content_id,
                                                  const msg::WorkingSet& set) {
  const auto body = msg::encode(set);
  return ask_store<void>(content_id, [&](StoreReader& reader) {
    return reader.put(options_.store_url + working_set_path(content_id), body);
  });
}

core::Result<ChunkFetcher::ChunkPtr> ChunkFetcher::chunk(const Wanted& wanted, Use use) {
  std::shared_ptr<Flight> flight;
  {
    std::unique_lock lock{mutex_};
    const auto recent =
        std::ranges::find(recent_, wanted.digest, [](const auto& one) { return one.first; });
    if (recent != recent_.end()) {
      recent_.splice(recent_.begin(), recent_, recent);
      return recent->second;
    }
    if (const auto other = flights_.find(wanted.digest); other != flights_.end()) {
      flight = other->second;
      landed_.wait(lock, [&] { return flight->is_over; });
      return flight->result;
    }
    flight = flights_[wanted.digest] = std::make_shared<Flight>();
  }
  auto loaded = load(wanted);
  const std::scoped_lock lock{mutex_};
  flight->result = loaded;
  flight->is_over = true;
  flights_.erase(wanted.digest);
  if (loaded && use == Use::read) remember(wanted.digest, *loaded);
  landed_.notify_all();
  return loaded;
}

void ChunkFetcher::remember(const core::Sha256& digest, const ChunkPtr& chunk) {
  recent_.emplace_front(digest, chunk);
  if (recent_.size() > recent_max) recent_.pop_back();
}

core::Result<ChunkFetcher::ChunkPtr> ChunkFetcher::load(const Wanted& wanted) {
  if (auto kept = cache_.find(wanted.digest, wanted.size)) {
    metrics_.found.Increment();
    return std::make_shared<const Chunk>(std::move(*kept));
  }
  if (auto fetched = fetch_from_hosts(wanted))
    return std::make_shared<const Chunk>(std::move(*fetched));
  auto fetched = fetch_from_store(wanted);
  if (!fetched) return std::unexpected(fetched.error());
  return std::make_shared<const Chunk>(std::move(*fetched));
}

/// Nothing if none of them gives it. Those that should not be asked again at once are noted.
std::optional<Chunk> ChunkFetcher::fetch_from_hosts(const Wanted& wanted) {
  for (const auto& peer : fan_out_.peers(wanted.content_id, wanted.index)) {
    const auto url = "https://" + peer.endpoint;
    const auto reader = peers_.take(url, peer.authority, peer.ticket);
    auto packed = reader->get(url + chunk_path(wanted.content_id, wanted.index, wanted.digest));
    if (!packed) {
      const bool is_refusal = packed.error().code == ErrorCode::not_found;
      (is_refusal ? metrics_.peers_refusing : metrics_.peers_unavailable).Increment();
      fan_out_.note_failed(peer.endpoint, false);
      continue;
    }
    const auto size = packed->size();
    auto kept = cache_.keep(wanted.digest, wanted.size, std::move(*packed));
    if (!kept) {
      metrics_.peers_wrong.Increment();
      fan_out_.note_failed(peer.endpoint, true);
      continue;
    }
    fan_out_.note_worked(peer.endpoint);
    metrics_.peer_chunks.Increment();
    metrics_.peer_bytes.Increment(static_cast<double>(size));
    return *kept;
  }
  return std::nullopt;
}

core::Result<Chunk> ChunkFetcher::fetch_from_store(const Wanted& wanted) {
  auto packed =
      get_from_store(wanted.content_id, chunk_path(wanted.content_id, wanted.index, wanted.digest));
  if (!packed) return std::unexpected(packed.error());
  const auto size = packed->size();
  auto kept = cache_.keep(wanted.digest, wanted.size, std::move(*packed));
  if (!kept)
    return core::refuse(ErrorCode::unavailable,
                        "the image store sent a chunk that is damaged: " + kept.error().detail);
  metrics_.store_chunks.Increment();
  metrics_.store_bytes.Increment(static_cast<double>(size));
  return kept;
}

}  // namespace nucleus::provisioner
