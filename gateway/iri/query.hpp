// Queries of the IRI API: filters, windows of lists by offset and limit, and its form of times.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/routing/exchange.hpp"

namespace nucleus::gateway {

/// 2026-02-21T12:00:00Z
std::string iso_time(std::int64_t unix_s);
/// Seconds of a date and time of ISO 8601 with its offset; fractions are dropped. Nothing if it is
/// malformed.
std::optional<std::int64_t> unix_s_of(const std::string& iso_time);

struct IriQuery {
  std::size_t offset = 0;
  std::size_t limit = 100;                          // 0..1000
  std::map<std::string, std::string> filters = {};  // by the field that has to have the value
  std::map<std::string, std::int64_t> unix_s = {};  // modified_since, from, to, time
  std::map<std::string, bool> flags = {};           // historical, include_spec

  bool flag(const std::string& name, bool fallback) const {
    const auto found = flags.find(name);
    return found == flags.end() ? fallback : found->second;
  }
  /// Takes out a filter that does not name a field of the entries; empty if it was not given.
  std::string take(const std::string& name);
};

/// The query of a request that may have these parameters, each once. `invalid_argument` names a
/// parameter that is unknown or out of range.
core::Result<IriQuery> read_iri_query(const core::http::Request& request,
                                      std::initializer_list<std::string_view> names);

/// True if the entry has the values that are asked for; a description only has to contain its own.
bool fits(const IriQuery& query, const Json& entry);

/// Answers with the entries that fit, from `offset` on.
void reply_window(const ExchangePtr& exchange, const IriQuery& query, Json entries);

/// Answers with the entry of this id; 404 if there is none.
void reply_entry(const ExchangePtr& exchange, const std::string& id, const Json& entries);

}  // namespace nucleus::gateway
