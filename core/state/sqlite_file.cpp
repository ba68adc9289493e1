#include "core/state/sqlite_file.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace nucleus::core {

namespace {

constexpr int busy_ms_max = 2000;  // another process is writing: one that we fence, or an operator

void create_file(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(path).parent_path();
  std::error_code error;
  if (fs::create_directories(folder, error)) fs::permissions(folder, fs::perms::owner_all, error);
  if (error) throw SqliteError(folder.string() + ": " + error.message());
  // SQLite gives its other files the mode of this one.
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) throw SqliteError(path + ": " + std::strerror(errno));
  close(descriptor);
}

}  // namespace

void SqliteFile::Close::operator()(sqlite3* connection) const {
  sqlite3_close(connection);
}

SqliteFile::SqliteFile(const std::string& path) : path_{path} {
  create_file(path);
  sqlite3* connection = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &connection,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  connection_.reset(connection);
  if (opened != SQLITE_OK) fail();
  sqlite3_busy_timeout(connection, busy_ms_max);
  {
    SqliteStatement wal(*this, "pragma journal_mode = wal");
    if (!wal.step() || wal.bytes(0) != "wal")
      throw SqliteError(path + ": its file system does not allow a write-ahead log");
  }
  run("pragma synchronous = full");
}

void SqliteFile::run(const std::string& sql) {
  if (sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

void SqliteFile::fail() const {
  throw SqliteError(path_ + ": " + sqlite3_errmsg(connection_.get()));
}

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

SqliteStatement::SqliteStatement(SqliteFile& file, std::string_view sql) : file_{file} {
  sqlite3_stmt* statement = nullptr;
  const int prepared = sqlite3_prepare_v2(file.connection_.get(), sql.data(),
                                          static_cast<int>(sql.size()), &statement, nullptr);
  statement_.reset(statement);
  if (prepared != SQLITE_OK) file.fail();
}

bool SqliteStatement::step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  sqlite3_reset(statement_.get());
  if (result != SQLITE_DONE) file_.fail();
  return false;
}

std::uint64_t SqliteStatement::first_number() {
  if (!step()) return 0;
  const auto first = number(0);
  sqlite3_reset(statement_.get());
  return first;
}

std::uint64_t SqliteStatement::number(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_.get(), column));
}

std::string SqliteStatement::bytes(int column) const {
  const auto* start = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return start ? std::string(start, static_cast<std::size_t>(size)) : std::string{};
}

void SqliteStatement::bind_one(int index, const std::string& bytes) {
  if (sqlite3_bind_blob64(statement_.get(), index, bytes.data(), bytes.size(), SQLITE_TRANSIENT) !=
      SQLITE_OK)
    file_.fail();
}

void SqliteStatement::bind_one(int index, std::uint64_t number) {
  if (sqlite3_bind_int64(statement_.get(), index, static_cast<sqlite3_int64>(number)) != SQLITE_OK)
    file_.fail();
}

}  // namespace nucleus::core
