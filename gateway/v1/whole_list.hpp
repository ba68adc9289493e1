// A list that old clients read whole, without pages: built as text, entry by entry, up to 64 MiB.
#pragma once

#include <string>

#include "gateway/routing/exchange.hpp"

namespace nucleus::gateway {

class WholeList {
 public:
  void add(const Json& entry) {
    if (is_too_large()) return;
    if (text_.size() > 1) text_ += ',';
    text_ += text_of(entry);
  }
  /// Answers with the list, or 503 if it is too large; `paged` is the route that lists in pages.
  void reply(const ExchangePtr& exchange, const std::string& paged) {
    if (is_too_large())
      return exchange->refuse(core::ErrorCode::no_capacity,
                              "the whole list is over 64 MiB: use " + paged);
    exchange->reply_text(200, std::move(text_) + "]", "application/json");
  }

 private:
  static constexpr std::size_t bytes_max = std::size_t{64} << 20;
  bool is_too_large() const { return text_.size() > bytes_max; }

  std::string text_ = "[";
};

}  // namespace nucleus::gateway
