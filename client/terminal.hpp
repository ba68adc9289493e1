// The person at the terminal. Nobody is asked anything where standard input is no terminal.
#pragma once

#include <optional>
#include <string>

namespace nucleus::client {

/// Is there a person to ask?
bool is_asked_at_terminal();
/// Does a person watch what is printed?
bool is_shown_at_terminal();

/// Does a person watch what is told on standard error?
bool has_terminal_for_errors();

/// The text in a colour (black, red, green, yellow, blue, magenta, cyan, white; in either case)
/// where `is_colored`, NO_COLOR is not set and the terminal has colours.
std::string painted(const std::string& text, const std::string& color, bool is_colored);

/// A line; `otherwise` where it is empty, and nothing at its end or without a terminal.
std::optional<std::string> ask(const std::string& question, const std::string& otherwise = {});
/// As ask, without showing what is typed.
std::optional<std::string> ask_secret(const std::string& question);
/// True where the terminal's person says yes; without a terminal nobody is asked, and it is so.
bool is_confirmed(const std::string& question);

}  // namespace nucleus::client
