#include "client/program.hpp"

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "client/command_table.hpp"
#include "client/completion.hpp"
#include "client/manual.hpp"
#include "client/shell.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

core::Result<int> run_chosen(Session& session, const Chosen& chosen) {
  if (chosen.local) return chosen.local(session);
  const auto api = session.api(chosen.endpoint);
  if (!api) return std::unexpected(api.error());
  return chosen.remote(**api);
}

int print_manual(const std::string& name) {
  Chosen nothing;
  const auto table = command_table(nothing);
  if (name == "cm") {
    std::cout << manual_roff(*table);
    return 0;
  }
  for (const auto* each : commands_of(*table))
    if (each->check_name(name)) {
      std::cout << manual_roff(*each);
      return 0;
    }
  std::cerr << "cm: there is no command " << msg::shown(name) << "\n";
  return 2;
}

int print_completion(const std::string& shell) {
  const auto script = completion_script(shell);
  if (script.empty()) {
    std::cerr << "cm: completion is for bash, zsh or fish\n";
    return 2;
  }
  std::cout << script;
  return 0;
}

/// Asked by a shell at each tab: it must not wait for a server.
int print_candidates(Session& session, const std::vector<std::string>& words) {
  for (const auto& each : completions_in(session, words, false)) std::cout << each << "\n";
  return 0;
}

}  // namespace

int run_words(Session& session, const std::vector<std::string>& words) {
  Chosen chosen;
  const auto table = command_table(chosen);
  try {
    auto reversed = words;
    std::ranges::reverse(reversed);
    table->parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return table->exit(error) == 0 ? 0 : 2;
  }
  const auto done = run_chosen(session, chosen);
  if (done) return *done;
  std::cerr << (words.front() == "comet" ? "comet: " : "cm: ") << done.error().detail << "\n";
  return done.error().code == ErrorCode::invalid_argument ? 2 : 1;
}

int run_program(const std::vector<std::string>& words) {
  Session session;
  std::size_t first = 0;
  for (; first < words.size(); ++first) {
    if (words[first] == "--echo")
      session.is_echoed = true;
    else if (words[first] == "--debug")
      session.is_debugging = true;
    else if (words[first] != "--nosplash" && words[first] != "-i")
      break;
  }
  const std::vector<std::string> rest(words.begin() + static_cast<std::ptrdiff_t>(first),
                                      words.end());
  if (rest.empty()) return run_shell(session);
  if (rest[0] == "--man" && rest.size() == 2) return print_manual(rest[1]);
  if (rest[0] == "--completion" && rest.size() == 2) return print_completion(rest[1]);
  if (rest[0] == "--complete" && rest.size() > 1)
    return print_candidates(session, {rest.begin() + 1, rest.end()});
  std::error_code error;
  if (rest.size() == 1 && rest[0].ends_with(".cm") &&
      std::filesystem::is_regular_file(rest[0], error))
    return run_script(session, rest[0]);
  return run_words(session, rest);
}

}  // namespace nucleus::client
