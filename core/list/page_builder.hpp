// Builds one page of a list. A page ends at the request's limit, or earlier if its encoded entries
// would exceed a message.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "messages/common.hpp"

namespace nucleus::core {

/// Limit of the encoded entries. The other half of a body is for the reply's other fields.
constexpr std::size_t page_bytes_max = msg::body_bytes_max / 2;

template <msg::Struct Entry>
class PageBuilder {
 public:
  explicit PageBuilder(const msg::Page& page)
      : limit_{page.limit == 0 ? msg::page_entries_default
                               : std::min(page.limit, msg::page_entries_max)} {}

  /// Adds the next entry of the list; `key` is its position in the list. Returns false if the page
  /// is full: `next()` is set then. The first entry is always added, so every page makes progress.
  bool add(Entry entry, const std::string& key) {
    const std::size_t bytes = msg::encode(entry).size();
    if (!entries_.empty() && (entries_.size() >= limit_ || bytes_ + bytes > page_bytes_max)) {
      next_ = last_key_;
      return false;
    }
    bytes_ += bytes;
    last_key_ = key;
    entries_.push_back(std::move(entry));
    return true;
  }

  /// The cursor of the next page; empty if this page is the last.
  const std::string& next() const { return next_; }
  std::vector<Entry> take() { return std::move(entries_); }

 private:
  std::size_t limit_;
  std::size_t bytes_ = 0;
  std::string last_key_ = {};
  std::string next_ = {};
  std::vector<Entry> entries_ = {};
};

}  // namespace nucleus::core
