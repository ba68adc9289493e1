// An SQLite file: its connection, and prepared statements. For one thread. A failure throws
// SqliteError, which does not leave core/state.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace nucleus::core {

class SqliteError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class SqliteFile {
 public:
  /// Opens or creates the file and its folder, readable by their owner alone. A commit is on the
  /// disk when it returns (WAL, `synchronous = full`).
  explicit SqliteFile(const std::string& path);

  /// Runs a statement without parameters and results.
  void run(const std::string& sql);

 private:
  friend class SqliteStatement;
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  [[noreturn]] void fail() const;

  std::string path_;
  std::unique_ptr<sqlite3, Close> connection_ = {};
};

/// A prepared statement; the file must outlive it. Bind its parameters, step through its rows, and
/// it is ready to be bound again once step() has returned false.
class SqliteStatement {
 public:
  SqliteStatement(SqliteFile& file, std::string_view sql);

  /// Binds the parameters, in their order; bytes are copied.
  template <class... Values>
  SqliteStatement& bind(const Values&... values) {
    int index = 0;
    (bind_one(++index, values), ...);
    return *this;
  }
  /// True if there is a row, false after the last.
  bool step();
  /// Runs a statement that has no rows.
  void run() { (void)step(); }
  /// Runs a query and returns the first column of its first row; 0 if it has no rows.
  std::uint64_t first_number();
  std::uint64_t number(int column) const;
  /// Bytes or text.
  std::string bytes(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  void bind_one(int index, const std::string& bytes);
  void bind_one(int index, std::uint64_t number);

  SqliteFile& file_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_ = {};
};

}  // namespace nucleus::core
