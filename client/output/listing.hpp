// Rows as text: a table in PrettyTable's look, JSON, YAML or CSV.
#pragma once

#include <string>
#include <vector>

#include "client/api/json.hpp"
#include "core/result.hpp"

namespace nucleus::client {

enum class Format { table, json, yaml, csv, rest };

/// `invalid_argument`: no such format.
core::Result<Format> format_of(const std::string& name);

using Row = std::vector<std::string>;

struct Listing {
  std::vector<std::string> columns = {};
  std::vector<Row> rows = {};  // each as long as `columns`

  /// Sorts the rows by one column; leaves them if `key` is empty. `invalid_argument` lists the
  /// keys.
  core::Result<void> sort_by(const std::string& key);
};

/// In json and yaml a listing is a map by "0", "1", … as first-generation clients print it. A cell
/// may have several lines; csv, json and yaml join them by `;`.
std::string rendered(const Listing& listing, Format format);

/// Prints a listing; in format `rest` the server's own JSON. Returns exit code 0.
/// `invalid_argument`: no such format.
core::Result<int> print(const Listing& listing, const std::string& format, const Json& raw);
/// Prints a listing that has no JSON of the server: format `rest` is the same as json.
core::Result<int> print_local(const Listing& listing, const std::string& format);

}  // namespace nucleus::client
