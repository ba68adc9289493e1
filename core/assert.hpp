// NUCLEUS_ASSERT(condition) checks an invariant of our own code, in release builds too: a process
// that violates an invariant must not write records. Never used for input.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace nucleus::core {

[[noreturn]] inline void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace nucleus::core

#define NUCLEUS_ASSERT(condition)     \
  ((condition) ? static_cast<void>(0) \
               : ::nucleus::core::assertion_failed(#condition, __FILE__, __LINE__))
