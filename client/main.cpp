// cm: the admin's command and shell; `comet …` is `cm comet …`.
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "client/program.hpp"

int main(int argc, char** argv) {
  const bool is_comet = std::filesystem::path(argv[0]).filename() == "comet";
  // Said before anything is made: scripts ask it often.
  if (argc == 2 && std::string_view(argv[1]) == "--version")
    return std::puts(is_comet ? "comet " NUCLEUS_VERSION : "cm " NUCLEUS_VERSION) < 0;
  std::vector<std::string> words(argv + 1, argv + argc);
  if (is_comet) words.insert(words.begin(), "comet");
  return nucleus::client::run_program(words);
}
