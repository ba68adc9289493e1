#include "client/grammar/parse.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

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

std::string reason_if_no_number(const std::string& text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  const bool is_number = read.ec == std::errc{} && read.ptr == end;
  if (is_number && number >= 0 && number <= number_max) return {};
  return "must be a whole number from 0 to " + std::to_string(number_max);
}

void declare(CLI::App& app, const Argument& argument, Target& target) {
  switch (argument.takes) {
    case Takes::nothing:
      target.option = app.add_flag(argument.name, target.is_set, argument.what);
      break;
    case Takes::many:
      target.option = app.add_option(argument.name, target.many, argument.what);
      break;
    case Takes::number:
      target.option =
          app.add_option(argument.name, target.one, argument.what)->check(reason_if_no_number);
      break;
    case Takes::one:
      target.option = app.add_option(argument.name, target.one, argument.what);
      break;
  }
  if (argument.is_required) target.option->required();
}

/// True for nothing but blanks and the commas of a list.
bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n,") == std::string::npos;
}

/// CLI11 takes the next word as the value of `--name=`: its value is the empty text.
void split_empty_options(const Command& command, std::vector<std::string>& words) {
  for (std::size_t at = 0; at < words.size() && words[at] != "--"; ++at) {
    const bool is_empty = std::ranges::any_of(command.arguments, [&](const Argument& argument) {
      return argument.is_option() && words[at] == std::string(argument.name) + "=";
    });
    if (!is_empty) continue;
    words[at].pop_back();
    words.insert(words.begin() + static_cast<std::ptrdiff_t>(++at), "");
  }
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
  split_empty_options(command, words);
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
    else if (command.arguments[i].takes != Takes::nothing && !command.arguments[i].may_be_blank &&
             is_blank(target.one))
      return core::refuse(core::ErrorCode::invalid_argument,
                          std::string(command.arguments[i].name) + " is empty");
    else
      given.set(command.arguments[i].name, {std::move(target.one)});
  }
  return given;
}

}  // namespace nucleus::client
