// What a guest prints, without the power to control a terminal.
#pragma once

#include <string>
#include <string_view>

namespace nucleus::client {

class PlainFilter {
 public:
  /// The printable characters of `bytes`, newlines, tabs and carriage returns. Control characters
  /// and escape sequences are removed, also those that began in earlier bytes; bytes that are not
  /// UTF-8 become U+FFFD. An unfinished sequence ends with the line.
  std::string read(std::string_view bytes);

 private:
  enum class State : unsigned char { text, escape, control, string, string_escape };

  void take(unsigned char c, std::string& shown);

  State state_ = State::text;
  std::string unfinished_ = {};  // a part of a character
};

}  // namespace nucleus::client
