#include "core/log/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace nucleus::core::log {

namespace {

constexpr std::size_t value_bytes_max = 512;

/// Quotes a value unless it is a plain word, and escapes control characters.
std::string escaped(std::string_view value) {
  bool is_plain = !value.empty() && value.size() <= value_bytes_max;
  std::string quoted = "\"";
  for (char c : value.substr(0, value_bytes_max)) {
    const auto code = static_cast<unsigned char>(c);
    is_plain = is_plain && code > ' ' && code < 0x7f && c != '"' && c != '\\' && c != '=';
    if (c == '"' || c == '\\') quoted += '\\';
    if (code < ' ' || code >= 0x7f)
      quoted += fmt::format("\\x{:02x}", code);
    else
      quoted += c;
  }
  return is_plain ? std::string(value) : quoted + '"';
}

std::string& current_trace() {
  thread_local std::string trace;
  return trace;
}

void write(spdlog::level::level_enum level, std::string_view event,
           std::initializer_list<Field> fields) {
  std::string line(event);
  bool has_trace = current_trace().empty();
  for (const auto& [name, value] : fields) {
    line += fmt::format(" {}={}", name, escaped(value));
    has_trace = has_trace || name == "trace";
  }
  if (!has_trace) line += " trace=" + escaped(current_trace());
  spdlog::log(level, "{}", line);
}

}  // namespace

Trace::Trace(std::string_view id) : outer_{current_trace()} {
  if (!id.empty()) current_trace() = id;
}

Trace::~Trace() {
  current_trace() = std::move(outer_);
}

const std::string& Trace::current() {
  return current_trace();
}

void open(const std::string& process_name) {
  auto logger = std::make_shared<spdlog::logger>(process_name,
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %n %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void info(std::string_view event, std::initializer_list<Field> fields) {
  write(spdlog::level::info, event, fields);
}

void warning(std::string_view event, std::initializer_list<Field> fields) {
  write(spdlog::level::warn, event, fields);
}

void error(std::string_view event, std::initializer_list<Field> fields) {
  write(spdlog::level::err, event, fields);
}

}  // namespace nucleus::core::log
