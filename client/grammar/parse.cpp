#include "client/grammar/parse.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace nucleus::client {

namespace {

constexpr std::int64_t number_max = 2'147'483'647;

/// Where CLI11 puts the values of one argument.
struct Target {
  std::string one = {};
  std::vector<std::string> many = {};
  bool is_set = false;
  CLI::Option* option = nullptr;
};

void declare(CLI::App& app, const Argument& argument, Target& target) {
  switch (argument.takes) {
    case Takes::nothing:
      target.option = app.add_flag(argument.name, target.is_set, argument.what);
      break;
    case Takes::many:
      target.option = app.add_option(argument.name, target.many, argument.what);
      break;
    case Takes::number:
      target.option = app.add_option(argument.name, target.one, argument.what)
                          ->check(CLI::Range(std::int64_t{0}, number_max));
      break;
    case Takes::one:
      target.option = app.add_option(argument.name, target.one, argument.what);
      break;
  }
  if (argument.is_required) target.option->required();
}

}  // namespace

core::Result<Words> parse(const Command& command, std::vector<std::string> words) {
  Words given(command);
  if (command.is_passed_on) {
    if (!words.empty() && !command.arguments.empty())
      given.set(command.arguments.front().name, std::move(words));
    return given;
  }
  CLI::App app(command.what, command.name);
  std::vector<Target> targets(command.arguments.size());
  for (std::size_t i = 0; i < targets.size(); ++i) declare(app, command.arguments[i], targets[i]);
  try {
    std::ranges::reverse(words);
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    given.set("--help", {});
    return given;
  } catch (const CLI::ParseError& error) {
    std::string detail = error.what();
    std::ranges::replace(detail, '\n', ' ');
    return core::refuse(core::ErrorCode::invalid_argument, std::move(detail));
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    auto& target = targets[i];
    if (target.option->count() == 0) continue;
    if (command.arguments[i].takes == Takes::many)
      given.set(command.arguments[i].name, std::move(target.many));
    else
      given.set(command.arguments[i].name, {std::move(target.one)});
  }
  return given;
}

}  // namespace nucleus::client
