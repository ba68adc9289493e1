#include "client/terminal/raw_terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>

#include "core/files/files.hpp"

namespace nucleus::client {

TerminalSize terminal_size() {
  winsize found{};
  TerminalSize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &found) == 0 && found.ws_col > 0 && found.ws_row > 0)
    size = {.columns = found.ws_col, .rows = found.ws_row};
  return size;
}

core::Result<std::unique_ptr<RawTerminal>> RawTerminal::open() {
  termios before{};
  if (tcgetattr(STDIN_FILENO, &before) != 0) return core::refuse_errno("the terminal");
  std::unique_ptr<RawTerminal> terminal(new RawTerminal(before));
  terminal->set();
  return terminal;
}

RawTerminal::~RawTerminal() {
  tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

void RawTerminal::set() {
  termios raw = before_;
  cfmakeraw(&raw);
  tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

int RawTerminal::reopen() {
  constexpr std::size_t name_bytes_max = 256;
  std::array<char, name_bytes_max> name{};
  const bool is_known = ttyname_r(STDIN_FILENO, name.data(), name.size()) == 0;
  return ::open(is_known ? name.data() : "/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
}

}  // namespace nucleus::client
