#include "client/program.hpp"

#include <algorithm>
#include <iostream>

#include "client/command_table.hpp"

namespace nucleus::client {

namespace {

core::Result<int> run_chosen(Session& session, const Chosen& chosen) {
  if (chosen.local) return chosen.local(session);
  const auto api = session.api(chosen.endpoint);
  if (!api) return std::unexpected(api.error());
  return chosen.remote(**api);
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
  return done.error().code == core::ErrorCode::invalid_argument ? 2 : 1;
}

int run_program(const std::vector<std::string>& words) {
  Session session;
  return run_words(session, words);
}

}  // namespace nucleus::client
