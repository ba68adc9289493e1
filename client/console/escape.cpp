#include "client/console/escape.hpp"

namespace nucleus::client {

std::vector<Typed> EscapeParser::read(std::string_view bytes) {
  constexpr char escape = '~';
  std::vector<Typed> typed;
  const auto send = [&](char c) {
    if (typed.empty() || typed.back().action != Typed::Action::send) typed.emplace_back();
    typed.back().text += c;
  };
  for (const char c : bytes) {
    if (is_escape_) {
      is_escape_ = false;
      if (c == '.') {
        typed.push_back({.action = Typed::Action::leave});
        return typed;
      }
      if (c == '?' || c == 't') {
        typed.push_back({.action = c == '?' ? Typed::Action::help : Typed::Action::take_over});
        continue;  // the line has not begun
      }
      if (c != escape) send(escape);
    } else if (is_line_start_ && c == escape) {
      is_escape_ = true;
      continue;
    }
    send(c);
    is_line_start_ = c == '\r' || c == '\n';
  }
  return typed;
}

}  // namespace nucleus::client
