// What the client keeps: settings, variables, keys, the inventory, stopwatches, and a copy of the
// server's clusters, nodes and images. One SQLite file in the client's folder.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/api/json.hpp"
#include "core/result.hpp"

struct sqlite3;

namespace nucleus::client {

class LocalCopy {
 public:
  using Row = std::vector<std::string>;

  static std::string file_in(const std::string& folder) { return folder + "/cm.db"; }
  /// Opens `folder`/cm.db and creates what is missing. `unavailable`: it cannot.
  static core::Result<std::unique_ptr<LocalCopy>> open(const std::string& folder);
  ~LocalCopy();
  LocalCopy(const LocalCopy&) = delete;
  LocalCopy& operator=(const LocalCopy&) = delete;

  /// Runs a statement with its `?` bound to `parameters` in order, and returns its rows.
  core::Result<std::vector<Row>> query(const std::string& statement, const Row& parameters = {});

  /// A value of a category, which is `general` or an endpoint; empty if there is none.
  std::string setting(const std::string& category, const std::string& key);
  core::Result<void> set(const std::string& category, const std::string& key,
                         const std::string& value);

  /// Replaces the copy of an endpoint in one transaction.
  core::Result<void> keep(const std::string& endpoint, const Json& clusters, const Json& images,
                          std::int64_t now_unix_s);
  /// The time of the last `keep`; nothing if there was none.
  std::optional<std::int64_t> kept_unix_s(const std::string& endpoint);
  core::Result<Json> clusters(const std::string& endpoint);
  std::vector<std::string> cluster_names(const std::string& endpoint);
  std::vector<std::string> node_names(const std::string& endpoint, const std::string& cluster);
  std::vector<std::string> image_names(const std::string& endpoint);
  std::vector<std::string> key_names();

  /// Erases everything, of every endpoint.
  core::Result<void> erase();

 private:
  LocalCopy(sqlite3* database, std::string path) : database_{database}, path_{std::move(path)} {}
  core::Result<void> fill(const std::string& endpoint, const Json& clusters, const Json& images,
                          std::int64_t now_unix_s);
  std::vector<std::string> names(const std::string& statement, const Row& parameters);

  sqlite3* database_;
  std::string path_;
};

}  // namespace nucleus::client
