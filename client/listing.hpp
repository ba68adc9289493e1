// Rows as text: a table in PrettyTable's look, JSON, YAML or CSV. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"

namespace nucleus::client {

enum class Format { table, json, yaml, csv, rest };

/// `invalid_argument`: no such format.
core::Result<Format> format_of(const std::string& name);

using Row = std::vector<std::string>;

struct Listing {
  std::vector<std::string> columns = {};
  std::vector<Row> rows = {};  // each as long as `columns`

  /// Rows in the order of one column (empty = as they are); `invalid_argument` names the keys there
  /// are.
  core::Result<void> sort_by(const std::string& key);
};

/// In json and yaml a list is a map by "0", "1", … as old clients had it. A cell may have several
/// lines; csv, json and yaml join them by `;`.
std::string rendered(const Listing& listing, Format format);

}  // namespace nucleus::client
