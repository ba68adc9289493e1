// Log lines are an event name and fields: `lease_ended computeset=46`. They go to standard error,
// one line each. Values come from outside, so control characters and quotes are escaped here, once.
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

/// Names the process in every line; call once, first.
void open(const std::string& process_name);
void info(std::string_view event, std::initializer_list<Field> fields = {});
void warning(std::string_view event, std::initializer_list<Field> fields = {});
void error(std::string_view event, std::initializer_list<Field> fields = {});

}  // namespace nucleus::core::log
