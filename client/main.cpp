// cm: the command and shell of a cluster's admin; `comet …` is `cm comet …`.
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "client/program.hpp"

namespace {
// A list of 1,000 nodes takes some 10 MB: grown in few steps, it is shown 4 ms earlier.
constexpr int heap_step_bytes = 16 << 20;  // address space: pages count when they are used

/// slurmctld runs programs without standard streams: no file or socket may get their numbers.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(stream, F_GETFD) < 0) (void)open("/dev/null", O_RDWR);
}
}  // namespace

int main(int argc, char** argv) {
  const std::string_view path(argc > 0 ? argv[0] : "cm");
  const bool is_comet = path.substr(path.rfind('/') + 1) == "comet";
  // Before anything is initialized: scripts call it often.
  if (argc == 2 && std::string_view(argv[1]) == "--version")
    return std::puts(is_comet ? "comet " NUCLEUS_VERSION : "cm " NUCLEUS_VERSION) < 0;
  open_standard_streams();
  mallopt(M_TOP_PAD, heap_step_bytes);
  std::vector<std::string> words(argv + 1, argv + argc);
  if (is_comet) words.insert(words.begin(), "comet");
  return nucleus::client::run_program(words);
}
