#include "client/program.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/config/yaml_file.hpp"
#include "client/grammar/completion.hpp"
#include "client/grammar/manual.hpp"
#include "client/grammar/parse.hpp"
#include "client/grammar/table.hpp"
#include "client/output/listing.hpp"
#include "client/shell/shell.hpp"
#include "client/terminal/terminal.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

int print_manual(const std::string& name) {
  const auto& table = command_table();
  const auto* command = name == "cm" ? &table : table.part(name);
  if (!command) {
    std::cerr << "cm: no such command: " << msg::shown(name) << "\n";
    return 2;
  }
  std::cout << manual_roff(*command);
  return 0;
}

int print_completion(const std::string& shell) {
  const auto script = completion_script(shell);
  if (script.empty()) {
    std::cerr << "cm: the shell must be bash, zsh or fish\n";
    return 2;
  }
  std::cout << script;
  return 0;
}

/// A shell runs this at each tab: it must not wait for a server.
int print_candidates(Session& session, const std::vector<std::string>& words) {
  for (const auto& each : completions_in(session, words, false)) std::cout << each << "\n";
  return 0;
}

/// Fills in what `default KEY=VALUE` stored for options that the line does not give.
void add_defaults(Session& session, Words& words) {
  if (!session.has_copy()) return;
  const auto accepts = [&](std::string_view name) {
    return std::ranges::any_of(words.command().arguments,
                               [&](const Argument& each) { return each.name == name; });
  };
  std::string endpoint;
  for (const char* name : {"--endpoint", "--cloud"}) {
    if (!accepts(name)) continue;
    // The --cloud of `default` names the endpoint whose settings it changes; it does not connect.
    const bool is_endpoint = words.command().run != set_default;
    if (is_endpoint && !words.has(name) && !std::getenv("NUCLEUS_URL"))
      if (auto cloud = session.setting("cloud"); !cloud.empty()) words.set(name, {cloud});
    endpoint = words[name];
  }
  if (endpoint.empty())
    if (const auto active = choose_endpoint({})) endpoint = active->name;
  // Commands that start nodes accept both; elsewhere --allocation is a filter.
  const bool is_start = accepts("--allocation") && accepts("--walltime");
  for (const std::string key : {"format", "allocation", "walltime", "reservation"}) {
    const std::string option = "--" + key;
    if (!accepts(option) || words.has(option) || (key != "format" && !is_start)) continue;
    auto value = session.setting(key, endpoint);
    const bool is_usable = !value.empty() && (key != "format" || format_of(value));
    if (is_usable) words.set_default(option, std::move(value));
  }
}

core::Result<int> run_command(Session& session, const NamedCommand& named,
                              std::vector<std::string> rest) {
  const bool asks_help = !rest.empty() && (rest.front() == "--help" || rest.front() == "-h");
  if (asks_help && !named.command->is_passed_on) {
    std::cout << manual_text(*named.command, named.words ? named.name : "cm", true);
    return 0;
  }
  if (!named.command->parts.empty()) {
    if (named.words == 0)
      return core::refuse(
          ErrorCode::invalid_argument,
          rest.empty() ? "no command given; help lists them"
                       : "no such command: " + msg::shown(rest.front()) + "; help lists them");
    std::string parts;
    for (const auto& part : named.command->parts)
      parts += (parts.empty() ? "" : ", ") + std::string(part.name);
    return core::refuse(ErrorCode::invalid_argument, named.name + " needs a subcommand: " + parts);
  }
  auto words = parse(*named.command, std::move(rest));
  if (!words) return std::unexpected(words.error());
  if (words->has("--help")) {
    std::cout << manual_text(*named.command, named.name, true);
    return 0;
  }
  add_defaults(session, *words);
  const auto format = (*words)["--format"];
  const bool is_sacct = format == "sacct" && named.command->run == with_api<show_usage>;
  const bool has_own_formats = is_sacct || named.command->run == with_api<overhead>;
  if (!format.empty() && !has_own_formats)
    if (const auto known = format_of(format); !known) return std::unexpected(known.error());
  return named.command->run(session, *words);
}

}  // namespace

int run_words(Session& session, const std::vector<std::string>& words) {
  const auto named = command_named(words);
  const auto begin = std::chrono::steady_clock::now();
  const auto done = run_command(
      session, named, {words.begin() + static_cast<std::ptrdiff_t>(named.words), words.end()});
  int code = 0;
  if (done) {
    code = *done;
  } else {
    const std::string prefix = !words.empty() && words.front() == "comet" ? "comet: " : "cm: ";
    std::cout << std::flush;
    std::cerr << painted(prefix + done.error().detail, "red",
                         session.is_colored(is_error_terminal()))
              << "\n";
    code = done.error().code == ErrorCode::invalid_argument ? 2 : 1;
  }
  if (session.is_on("timer") || session.is_on("verbose")) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    std::cerr << "cm: " << named.name << " took " << elapsed.count() << " s, exit code " << code
              << "\n";
  }
  return code;
}

int run_program(const std::vector<std::string>& words) {
  Session session;
  bool is_staying = false;
  std::size_t first = 0;
  for (; first < words.size(); ++first) {
    if (words[first] == "--echo")
      session.is_echoed = true;
    else if (words[first] == "--debug")
      session.is_debugging = true;
    else if (words[first] == "-i")
      is_staying = true;
    else if (words[first] != "--nosplash")
      break;
  }
  const std::vector<std::string> rest(words.begin() + static_cast<std::ptrdiff_t>(first),
                                      words.end());
  if (rest.size() == 2 && rest[0] == "--man") return print_manual(rest[1]);
  if (rest.size() == 2 && rest[0] == "--completion") return print_completion(rest[1]);
  if (rest.size() > 1 && rest[0] == "--complete")
    return print_candidates(session, {rest.begin() + 1, rest.end()});
  if (const auto usable = check_client_folder(); !usable) {
    std::cerr << "cm: " << usable.error().detail << "\n";
    return 1;
  }
  if (rest.empty()) return run_shell(session);
  std::error_code error;
  const bool is_script = rest.size() == 1 && rest[0].ends_with(".cm") &&
                         std::filesystem::is_regular_file(rest[0], error);
  const int code = is_script ? run_script(session, rest[0]) : run_words(session, rest);
  return is_staying && !session.is_over ? run_shell(session) : code;
}

}  // namespace nucleus::client
