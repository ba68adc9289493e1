#include "client/terminal/terminal.hpp"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <string_view>

namespace nucleus::client {

bool is_input_terminal() {
  return isatty(STDIN_FILENO) == 1;
}
bool is_output_terminal() {
  return isatty(STDOUT_FILENO) == 1;
}
bool is_error_terminal() {
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

std::optional<std::string> ask(const std::string& question, const std::string& fallback) {
  if (!is_input_terminal()) return std::nullopt;
  std::cout << question << (fallback.empty() ? ": " : " [" + fallback + "]: ") << std::flush;
  std::string answer;
  if (!std::getline(std::cin, answer)) return std::nullopt;
  return answer.empty() ? fallback : answer;
}

std::optional<std::string> ask_secret(const std::string& question) {
  termios echoing{};
  if (!is_input_terminal() || tcgetattr(STDIN_FILENO, &echoing) != 0) return std::nullopt;
  termios silent = echoing;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  // TCSADRAIN keeps what was typed ahead of the question; TCSAFLUSH would drop it.
  tcsetattr(STDIN_FILENO, TCSADRAIN, &silent);
  auto answer = ask(question);
  tcsetattr(STDIN_FILENO, TCSADRAIN, &echoing);
  std::cout << "\n";
  return answer;
}

bool is_confirmed(const std::string& question) {
  if (!is_input_terminal()) return true;
  std::cout << question << " [Y/n] " << std::flush;
  std::string answer;
  if (!std::getline(std::cin, answer)) return false;
  return answer.empty() || answer[0] == 'y' || answer[0] == 'Y';
}

core::Result<std::string> pick(const std::string& what, const std::vector<std::string>& names) {
  if (names.empty()) return core::refuse(core::ErrorCode::not_found, "there is no " + what);
  if (!is_input_terminal())
    return core::refuse(core::ErrorCode::invalid_argument,
                        "no " + what + " given, and standard input is not a terminal");
  constexpr std::size_t per_line = 5;
  for (std::size_t i = 0; i < names.size(); ++i)
    std::cout << i + 1 << ": " << names[i]
              << ((i + 1) % per_line == 0 || i + 1 == names.size() ? "\n" : "\t");
  const auto answer = ask("Which " + what + ", by number or name", names.front());
  for (std::size_t i = 0; answer && i < names.size(); ++i)
    if (*answer == names[i] || *answer == std::to_string(i + 1)) return names[i];
  return core::refuse(core::ErrorCode::invalid_argument, "no such " + what, what);
}

void ProgressLine::show(const std::string& line) {
  if (line == shown_) return;
  shown_ = line;
  if (is_output_terminal())
    std::cout << "\r\033[K" << line << std::flush;
  else
    std::cout << line << std::endl;
}

ProgressLine::~ProgressLine() {
  if (!shown_.empty() && is_output_terminal()) std::cout << std::endl;
}

}  // namespace nucleus::client
