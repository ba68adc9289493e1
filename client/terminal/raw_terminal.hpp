// The terminal in raw mode: each key goes to the program, and bytes are shown as they are.
#pragma once

#include <termios.h>

#include <memory>

#include "core/result.hpp"

namespace nucleus::client {

/// Of standard output; 80 by 24 if it is not a terminal.
struct TerminalSize {
  int columns = 80;
  int rows = 24;
};
TerminalSize terminal_size();

class RawTerminal {
 public:
  /// Of standard input, until the object is destroyed. `internal` if its mode cannot be read.
  static core::Result<std::unique_ptr<RawTerminal>> open();
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  /// Sets raw mode, also again after a shell that stopped the process has set its own.
  void set();
  /// A descriptor of the same terminal that shares no flags with other processes; the caller closes
  /// it. Negative if it cannot be opened.
  static int reopen();

 private:
  explicit RawTerminal(const termios& before) : before_{before} {}
  termios before_;
};

}  // namespace nucleus::client
