#include <charconv>

#include "core/http/http.hpp"

namespace nucleus::core::http {

namespace {

bool percent_decode(std::string_view text, std::string& into) {
  into.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      into += text[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size()) return false;
    const char* end = text.data() + i + 3;
    if (std::from_chars(text.data() + i + 1, end, value, 16).ptr != end) return false;
    into += static_cast<char>(value);
    i += 2;
  }
  return true;
}

}  // namespace

bool parse_target(const std::string& target, Request& request) {
  request.target = target;
  const std::string_view whole = target;
  const auto mark = whole.find('?');
  if (!percent_decode(whole.substr(0, mark), request.path) || !request.path.starts_with('/'))
    return false;
  if (mark == std::string_view::npos) return true;
  std::string_view rest = whole.substr(mark + 1);
  while (!rest.empty()) {
    const auto end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const auto equals = pair.find('=');
    std::string name;
    std::string value;
    if (!percent_decode(pair.substr(0, equals), name)) return false;
    if (equals != std::string_view::npos && !percent_decode(pair.substr(equals + 1), value))
      return false;
    if (!name.empty()) request.query.emplace(name, value);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return true;
}

}  // namespace nucleus::core::http
