// Writes log lines to standard error: an event name and fields, `lease_ended computeset=46`.
// Control characters and quotes in values are escaped, because values come from outside.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace nucleus::core::log {

struct Field {
  std::string_view name;
  std::string value;
  template <class T>
  Field(std::string_view field_name, const T& field_value)
      : name{field_name}, value{fmt::format("{}", field_value)} {}
};

/// While it exists, the lines of this thread name the request that they are about, `trace=ID`, and
/// the calls that it makes carry the id on. Traces nest.
class Trace {
 public:
  /// An empty id leaves the current one in place.
  explicit Trace(std::string_view id);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  /// Of this thread; empty = none.
  static const std::string& current();

 private:
  std::string outer_;
};

/// Sets the process name that every line contains; call once, first.
void open(const std::string& process_name);
void info(std::string_view event, std::initializer_list<Field> fields = {});
void warning(std::string_view event, std::initializer_list<Field> fields = {});
void error(std::string_view event, std::initializer_list<Field> fields = {});

}  // namespace nucleus::core::log
