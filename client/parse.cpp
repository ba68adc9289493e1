#include "client/parse.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace nucleus::client {

namespace {

constexpr std::int64_t number_max = 2'147'483'647;

/// Where CLI11 puts what was said of one argument.
struct Place {
  std::string one = {};
  std::vector<std::string> many = {};
  bool is_said = false;
  CLI::Option* option = nullptr;
};

void declare(CLI::App& app, const Argument& argument, Place& place) {
  switch (argument.takes) {
    case Takes::nothing:
      place.option = app.add_flag(argument.name, place.is_said, argument.what);
      break;
    case Takes::many:
      place.option = app.add_option(argument.name, place.many, argument.what);
      break;
    case Takes::number:
      place.option = app.add_option(argument.name, place.one, argument.what)
                         ->check(CLI::Range(std::int64_t{0}, number_max));
      break;
    case Takes::one:
      place.option = app.add_option(argument.name, place.one, argument.what);
      break;
  }
  if (argument.is_required) place.option->required();
}

}  // namespace

core::Result<Words> parse(const Command& command, std::vector<std::string> words) {
  Words said(command);
  if (command.is_passed_on) {
    if (!words.empty() && !command.arguments.empty())
      said.say(command.arguments.front().name, std::move(words));
    return said;
  }
  CLI::App app(command.what, command.name);
  std::vector<Place> places(command.arguments.size());
  for (std::size_t i = 0; i < places.size(); ++i) declare(app, command.arguments[i], places[i]);
  try {
    std::ranges::reverse(words);
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    said.say("--help", {});
    return said;
  } catch (const CLI::ParseError& error) {
    std::string detail = error.what();
    std::ranges::replace(detail, '\n', ' ');
    return core::refuse(core::ErrorCode::invalid_argument, std::move(detail));
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    auto& place = places[i];
    if (place.option->count() == 0) continue;
    if (command.arguments[i].takes == Takes::many)
      said.say(command.arguments[i].name, std::move(place.many));
    else
      said.say(command.arguments[i].name, {std::move(place.one)});
  }
  return said;
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words = CLI::detail::split_up(text);
  std::erase(words, "");
  return words;
}

}  // namespace nucleus::client
