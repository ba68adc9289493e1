#include "client/grammar/command.hpp"

#include <algorithm>
#include <charconv>

namespace nucleus::client {

const Command* Command::part(std::string_view part_name) const {
  const auto found =
      std::ranges::find_if(parts, [&](const Command& each) { return each.name == part_name; });
  return found == parts.end() ? nullptr : &*found;
}

bool Words::has(std::string_view name) const {
  return std::ranges::any_of(given_, [&](const auto& each) { return each.first == name; });
}

std::vector<std::string> Words::all(std::string_view name) const {
  for (const auto& [given, values] : given_)
    if (given == name) return values;
  for (const auto& argument : command_->arguments)
    if (argument.name == name && *argument.fallback) return {argument.fallback};
  return {};
}

std::string Words::operator[](std::string_view name) const {
  auto values = all(name);
  return values.empty() ? std::string() : std::move(values.back());
}

std::int64_t Words::number(std::string_view name) const {
  const auto text = (*this)[name];
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string Words::joined(std::string_view name) const {
  std::string text;
  for (const auto& word : all(name)) text += (text.empty() ? "" : " ") + word;
  return text;
}

void Words::set(std::string_view name, std::vector<std::string> values) {
  std::erase_if(given_, [&](const auto& each) { return each.first == name; });
  given_.emplace_back(name, std::move(values));
}

void Words::set_default(std::string_view name, std::string value) {
  set(name, {std::move(value)});
  defaults_.emplace_back(name);
}

bool Words::is_given(std::string_view name) const {
  return has(name) && std::ranges::find(defaults_, name) == defaults_.end();
}

}  // namespace nucleus::client
