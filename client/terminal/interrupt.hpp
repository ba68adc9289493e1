// Ctrl-C in the shell: it ends the line or the command, not the shell.
#pragma once

#include <chrono>

namespace nucleus::client {

/// The exit code of a command that Ctrl-C ended, as shells have it.
constexpr int interrupted_code = 130;

/// Catches SIGINT from now on. System calls fail with EINTR until `clear_interrupt`, even those
/// that begin after the signal. Takes over SIGALRM.
void catch_interrupts();
/// Was SIGINT caught since `clear_interrupt`? Always false without `catch_interrupts`.
bool is_interrupted();
/// As if SIGINT had been caught: ends a request that another thread sends. Any thread.
void interrupt();
void clear_interrupt();
/// Waits for that long, or until SIGINT is caught.
void sleep_until_interrupt(std::chrono::milliseconds duration);

}  // namespace nucleus::client
