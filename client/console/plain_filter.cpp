#include "client/console/plain_filter.hpp"

#include <utility>

#include "core/text/utf8.hpp"

namespace nucleus::client {

namespace {

constexpr unsigned char escape = 0x1b;
constexpr unsigned char bell = 0x07;

}  // namespace

std::string PlainFilter::read(std::string_view bytes) {
  const std::string all = std::exchange(unfinished_, {}) + std::string(bytes);
  std::string shown;
  for (std::string_view rest = all; !rest.empty();) {
    const auto length = core::utf8_length(rest);
    if (length == std::size_t{0}) {
      unfinished_ = rest;
      break;
    }
    const auto first = static_cast<unsigned char>(rest[0]);
    const auto second = length == std::size_t{2} ? static_cast<unsigned char>(rest[1]) : 0;
    if (first == 0xc2 && second < 0xa0 && second >= 0x80) {
      // A C1 control is ESC and a byte.
      take(escape, shown);
      take(static_cast<unsigned char>(second - 0x40), shown);
    } else if (length == std::size_t{1}) {
      take(first, shown);
    } else if (state_ == State::text) {
      shown += length ? rest.substr(0, *length) : "\xef\xbf\xbd";
    } else if (state_ != State::string) {
      state_ = State::text;  // no sequence has such a character
    }
    rest.remove_prefix(length.value_or(1));
  }
  return shown;
}

/// The states of ECMA-48 sequences.
void PlainFilter::take(unsigned char c, std::string& shown) {
  constexpr unsigned char cancel = 0x18;
  constexpr unsigned char substitute = 0x1a;
  if (c == '\n' || c == '\r') state_ = State::text;
  if (c == '\n' || c == '\r' || c == '\t') {
    if (state_ == State::text) shown += static_cast<char>(c);
    return;
  }
  if (c == escape) {
    state_ = state_ == State::string ? State::string_escape : State::escape;
    return;
  }
  if (c == cancel || c == substitute) {
    state_ = State::text;
    return;
  }
  if (state_ == State::string_escape) {
    state_ = c == '\\' ? State::text : State::escape;
    if (state_ == State::text) return;
  }
  switch (state_) {
    case State::text:
      if (c >= ' ' && c != 0x7f) shown += static_cast<char>(c);
      break;
    case State::escape:
      if (c == '[')
        state_ = State::control;
      else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
        state_ = State::string;
      else if (c >= 0x30)
        state_ = State::text;
      break;
    case State::control:
      if (c >= 0x40 && c != 0x7f) state_ = State::text;
      break;
    case State::string:
      if (c == bell) state_ = State::text;
      break;
    case State::string_escape:
      break;
  }
}

}  // namespace nucleus::client
