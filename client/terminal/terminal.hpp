// The person at the terminal. Questions are asked only if standard input is a terminal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace nucleus::client {

bool is_input_terminal();
bool is_output_terminal();
bool is_error_terminal();

/// The text in a colour (black, red, green, yellow, blue, magenta, cyan, white; in either case) if
/// `is_colored`, NO_COLOR is not set and TERM has colours; else the text.
std::string painted(const std::string& text, const std::string& color, bool is_colored);

/// A line of input; `fallback` if it is empty; nothing at the end of input or without a terminal.
std::optional<std::string> ask(const std::string& question, const std::string& fallback = {});
/// As ask, without echoing what is typed.
std::optional<std::string> ask_secret(const std::string& question);
/// The answer to a yes-or-no question; true without a terminal.
bool is_confirmed(const std::string& question);
/// One of several, chosen by number or name. `not_found`: `names` is empty; `invalid_argument`: the
/// answer is none of them, or standard input is not a terminal.
core::Result<std::string> pick(const std::string& what, const std::vector<std::string>& names);

/// One line that is overwritten at a terminal; elsewhere each change is a line.
class ProgressLine {
 public:
  ~ProgressLine();
  void show(const std::string& line);

 private:
  std::string shown_ = {};
};

}  // namespace nucleus::client
