// The escapes that a person types on a console, as ssh(1) has them: `~` at the start of a line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nucleus::client {

/// What was typed: `text` for the guest, or an action.
struct Typed {
  enum class Action : unsigned char { send, leave, help, take_over };
  Action action = Action::send;
  std::string text = {};  // of `send`

  bool operator==(const Typed&) const = default;
};

class EscapeParser {
 public:
  /// `bytes` may end within an escape. What follows `leave` is dropped.
  std::vector<Typed> read(std::string_view bytes);

 private:
  bool is_line_start_ = true;
  bool is_escape_ = false;  // the last byte was the `~` of an escape
};

}  // namespace nucleus::client
