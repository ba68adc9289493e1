#include "client/config/local_copy.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <filesystem>

#include "client/output/views.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

// A second shell waits this long for the transaction of the first.
constexpr int busy_ms_max = 5'000;

constexpr const char* schema[] = {
    "create table if not exists setting(category text, key text, value text,"
    " primary key(category, key))",
    "create table if not exists variable(name text primary key, value text)",
    "create table if not exists ssh_key(name text primary key, value text, source text)",
    "create table if not exists inventory(name text primary key, cluster text, label text,"
    " service text, project text, owners text, comment text, ip text)",
    "create table if not exists timer(name text primary key, started_ms integer,"
    " gathered_ms integer)",
    "create table if not exists kept(endpoint text primary key, unix_s integer)",
    "create table if not exists cluster(endpoint text, name text, body text,"
    " primary key(endpoint, name))",
    "create table if not exists node(endpoint text, cluster text, name text,"
    " primary key(endpoint, cluster, name))",
    "create table if not exists image(endpoint text, name text, primary key(endpoint, name))",
};

}  // namespace

core::Result<std::unique_ptr<LocalCopy>> LocalCopy::open(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::string path = file_in(folder);
  sqlite3* database = nullptr;
  // It holds variables and keys: only the owner may read it.
  const auto mask = umask(077);
  const int opened = sqlite3_open(path.c_str(), &database);
  umask(mask);
  std::unique_ptr<LocalCopy> copy(new LocalCopy(database, path));
  if (opened != SQLITE_OK)
    return core::refuse(ErrorCode::unavailable, path + ": " + sqlite3_errmsg(database));
  sqlite3_busy_timeout(database, busy_ms_max);
  if (auto set = copy->query("pragma synchronous = normal"); !set)
    return std::unexpected(set.error());
  if (auto set = copy->query("pragma journal_mode = wal"); !set)
    return std::unexpected(set.error());
  for (const char* statement : schema)
    if (auto made = copy->query(statement); !made) return std::unexpected(made.error());
  return copy;
}

LocalCopy::~LocalCopy() {
  sqlite3_close(database_);
}

core::Result<std::vector<LocalCopy::Row>> LocalCopy::query(const std::string& statement,
                                                           const Row& parameters) {
  const auto failed = [this] {
    return core::refuse(ErrorCode::unavailable, path_ + ": " + sqlite3_errmsg(database_));
  };
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(database_, statement.c_str(), -1, &raw, nullptr) != SQLITE_OK)
    return failed();
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> prepared(raw, sqlite3_finalize);
  for (std::size_t i = 0; i < parameters.size(); ++i)
    sqlite3_bind_text(raw, static_cast<int>(i) + 1, parameters[i].data(),
                      static_cast<int>(parameters[i].size()), SQLITE_TRANSIENT);
  std::vector<Row> rows;
  while (true) {
    const int step = sqlite3_step(raw);
    if (step == SQLITE_DONE) return rows;
    if (step != SQLITE_ROW) return failed();
    Row row;
    for (int i = 0; i < sqlite3_column_count(raw); ++i) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw, i));
      row.emplace_back(text ? text : "");
    }
    rows.push_back(std::move(row));
  }
}

std::string LocalCopy::setting(const std::string& category, const std::string& key) {
  const auto rows =
      query("select value from setting where category = ? and key = ?", {category, key});
  return rows && !rows->empty() ? rows->front().front() : "";
}

core::Result<void> LocalCopy::set(const std::string& category, const std::string& key,
                                  const std::string& value) {
  auto done = query("insert or replace into setting values(?, ?, ?)", {category, key, value});
  if (!done) return std::unexpected(done.error());
  return {};
}

core::Result<void> LocalCopy::fill(const std::string& endpoint, const Json& clusters,
                                   const Json& images, std::int64_t now_unix_s) {
  for (const char* table : {"cluster", "node", "image"})
    if (auto done = query(std::string("delete from ") + table + " where endpoint = ?", {endpoint});
        !done)
      return std::unexpected(done.error());
  for (const auto& cluster : clusters.items()) {
    const std::string name = cluster["name"].text();
    if (auto done = query("insert or replace into cluster values(?, ?, ?)",
                          {endpoint, name, cluster.dumped()});
        !done)
      return std::unexpected(done.error());
    auto nodes = compute_names(cluster);
    if (cluster["frontend"].is_object()) nodes.push_back(cluster["frontend"]["name"].text());
    for (const auto& node : nodes)
      if (auto done = query("insert or replace into node values(?, ?, ?)", {endpoint, name, node});
          !done)
        return std::unexpected(done.error());
  }
  for (const auto& image : images.items())
    if (image.is_text())
      if (auto done = query("insert or replace into image values(?, ?)", {endpoint, image.text()});
          !done)
        return std::unexpected(done.error());
  auto done =
      query("insert or replace into kept values(?, ?)", {endpoint, std::to_string(now_unix_s)});
  if (!done) return std::unexpected(done.error());
  return {};
}

core::Result<void> LocalCopy::keep(const std::string& endpoint, const Json& clusters,
                                   const Json& images, std::int64_t now_unix_s) {
  if (auto begun = query("begin immediate"); !begun) return std::unexpected(begun.error());
  auto filled = fill(endpoint, clusters, images, now_unix_s);
  auto ended = query(filled ? "commit" : "rollback");
  if (!filled) return filled;
  if (!ended) return std::unexpected(ended.error());
  return {};
}

core::Result<void> LocalCopy::erase() {
  for (const char* table :
       {"setting", "variable", "ssh_key", "inventory", "timer", "kept", "cluster", "node", "image"})
    if (auto gone = query(std::string("delete from ") + table); !gone)
      return std::unexpected(gone.error());
  return {};
}

std::optional<std::int64_t> LocalCopy::kept_unix_s(const std::string& endpoint) {
  const auto rows = query("select unix_s from kept where endpoint = ?", {endpoint});
  if (!rows || rows->empty()) return std::nullopt;
  return std::stoll("0" + rows->front().front());
}

core::Result<Json> LocalCopy::clusters(const std::string& endpoint) {
  const auto rows = query("select body from cluster where endpoint = ? order by name", {endpoint});
  if (!rows) return std::unexpected(rows.error());
  Json all = Json::list();
  for (const auto& row : *rows)
    if (auto body = Json::parse(row.front())) all.add(std::move(*body));
  return all;
}

std::vector<std::string> LocalCopy::names(const std::string& statement, const Row& parameters) {
  std::vector<std::string> all;
  if (const auto rows = query(statement, parameters))
    for (const auto& row : *rows) all.push_back(row.front());
  return all;
}

std::vector<std::string> LocalCopy::cluster_names(const std::string& endpoint) {
  return names("select name from cluster where endpoint = ? order by name", {endpoint});
}

std::vector<std::string> LocalCopy::node_names(const std::string& endpoint,
                                               const std::string& cluster) {
  if (cluster.empty())
    return names("select name from node where endpoint = ? order by name", {endpoint});
  return names("select name from node where endpoint = ? and cluster = ? order by name",
               {endpoint, cluster});
}

std::vector<std::string> LocalCopy::image_names(const std::string& endpoint) {
  return names("select name from image where endpoint = ? order by name", {endpoint});
}

std::vector<std::string> LocalCopy::key_names() {
  return names("select name from ssh_key order by name", {});
}

}  // namespace nucleus::client
