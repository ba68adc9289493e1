#include "services/image_store/driver/chunk_lists.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/chunks/chunk.hpp"
#include "core/files/files.hpp"
#include "messages/chunks.hpp"
#include "services/image_store/driver/open_file.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

constexpr std::size_t page_bytes_max = 64 * 1024;  // encoded

std::string page_path(const std::string& path, std::uint64_t number) {
  return path + ".chunks." + std::to_string(number);
}

std::unexpected<core::Error> unreadable() {
  return core::refuse(ErrorCode::unavailable, "the file cannot be read");
}

core::Result<std::string> make_page(const OpenFile& file, const std::string& path,
                                    std::uint64_t number) {
  const auto size = file.size_bytes();
  msg::ChunkPage page{
      .version = msg::chunk_list_version, .size_bytes = size, .page = number, .digests = {}};
  std::string plain;
  for (std::uint64_t i = 0; i < msg::chunks_in_page(size, number); ++i) {
    const auto index = number * msg::chunks_of_page + i;
    plain.resize(msg::bytes_of_chunk(size, index));
    if (!file.read(index * msg::chunk_bytes, plain)) return unreadable();
    const auto digest = core::is_all_zero(plain) ? core::Sha256{} : core::sha256(plain);
    page.digests.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  }
  auto encoded = msg::encode(page);
  if (auto kept =
          core::replace_file(page_path(path, number), encoded, {.mode = 0644, .is_durable = true});
      !kept)
    return std::unexpected(kept.error());
  return encoded;
}

/// Nothing if the page was not made yet, or its file is damaged.
std::optional<std::string> kept_page(const OpenFile& file, const std::string& path,
                                     std::uint64_t number) {
  const OpenFile kept(page_path(path, number));
  if (!kept.is_sound() || kept.size_bytes() > page_bytes_max) return std::nullopt;
  std::string encoded(kept.size_bytes(), '\0');
  if (!kept.read(0, encoded)) return std::nullopt;
  try {
    const auto page = msg::decode<msg::ChunkPage>(encoded);
    if (msg::check(page, number) || page.size_bytes != file.size_bytes()) return std::nullopt;
    return encoded;
  } catch (const msg::DecodeError&) {
    return std::nullopt;
  }
}

}  // namespace

core::Result<std::string> ChunkLists::page(const std::string& path, std::uint64_t number) {
  const OpenFile file(path);
  if (!file.is_sound()) return unreadable();
  if (number >= std::max<std::uint64_t>(1, msg::page_count(file.size_bytes())))
    return core::refuse(ErrorCode::not_found, "the list has no such page");
  if (auto kept = kept_page(file, path, number)) return *kept;
  const std::scoped_lock lock{making_};
  if (auto kept = kept_page(file, path, number)) return *kept;  // made meanwhile
  return make_page(file, path, number);
}

core::Result<std::string> ChunkLists::chunk(const std::string& path, std::uint64_t index,
                                            const core::Sha256& digest) {
  const OpenFile file(path);
  if (!file.is_sound()) return unreadable();
  if (index >= msg::chunk_count(file.size_bytes()))
    return core::refuse(ErrorCode::not_found, "the file has no such chunk");
  std::string plain(msg::bytes_of_chunk(file.size_bytes(), index), '\0');
  if (!file.read(index * msg::chunk_bytes, plain)) return unreadable();
  if (core::sha256(plain) != digest)
    return core::refuse(ErrorCode::not_found, "the chunk has another digest");
  return core::pack_chunk(plain);
}

core::Result<void> make_chunk_list(const std::string& path) {
  ChunkLists lists;
  const OpenFile file(path);
  if (!file.is_sound()) return unreadable();
  for (std::uint64_t number = 0; number < msg::page_count(file.size_bytes()); ++number)
    if (auto made = lists.page(path, number); !made) return std::unexpected(made.error());
  return {};
}

}  // namespace nucleus::image_store
