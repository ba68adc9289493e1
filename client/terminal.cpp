#include "client/terminal.hpp"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <string_view>

namespace nucleus::client {

bool is_asked_at_terminal() {
  return isatty(STDIN_FILENO) == 1;
}
bool is_shown_at_terminal() {
  return isatty(STDOUT_FILENO) == 1;
}

bool has_terminal_for_errors() {
  return isatty(STDERR_FILENO) == 1;
}

std::string painted(const std::string& text, const std::string& color, bool is_colored) {
  constexpr std::array<std::string_view, 8> colors = {"black", "red",     "green", "yellow",
                                                      "blue",  "magenta", "cyan",  "white"};
  std::string name = color;
  std::ranges::transform(name, name.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  const auto found = std::ranges::find(colors, name);
  const char* terminal = std::getenv("TERM");
  if (!is_colored || found == colors.end() || std::getenv("NO_COLOR") || !terminal ||
      std::string_view(terminal) == "dumb")
    return text;
  return "\033[3" + std::to_string(found - colors.begin()) + "m" + text + "\033[0m";
}

std::optional<std::string> ask(const std::string& question, const std::string& otherwise) {
  if (!is_asked_at_terminal()) return std::nullopt;
  std::cout << question << (otherwise.empty() ? ": " : " [" + otherwise + "]: ") << std::flush;
  std::string answer;
  if (!std::getline(std::cin, answer)) return std::nullopt;
  return answer.empty() ? otherwise : answer;
}

std::optional<std::string> ask_secret(const std::string& question) {
  termios shown{};
  if (!is_asked_at_terminal() || tcgetattr(STDIN_FILENO, &shown) != 0) return std::nullopt;
  termios hidden = shown;
  hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  // What was typed ahead stays: a script at a terminal may be faster than the question.
  tcsetattr(STDIN_FILENO, TCSADRAIN, &hidden);
  auto answer = ask(question);
  tcsetattr(STDIN_FILENO, TCSADRAIN, &shown);
  std::cout << "\n";
  return answer;
}

bool is_confirmed(const std::string& question) {
  if (!is_asked_at_terminal()) return true;
  std::cout << question << " [Y/n] " << std::flush;
  std::string answer;
  if (!std::getline(std::cin, answer)) return false;
  return answer.empty() || answer[0] == 'y' || answer[0] == 'Y';
}

}  // namespace nucleus::client
