#include "client/manual.hpp"

#include <algorithm>
#include <functional>

#include "client/command_table.hpp"

namespace nucleus::client {

namespace {

std::string full_name(const CLI::App& command) {
  const auto* parent = command.get_parent();
  if (!parent || parent->get_name() == "cm") return command.get_name();
  return full_name(*parent) + " " + command.get_name();
}

bool is_help(const CLI::Option& option) {
  return option.check_lname("help");
}

std::string shown_option(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name(true, false);
  std::string text = option.get_lnames().empty() ? "-" + option.get_snames().front()
                                                 : "--" + option.get_lnames().front();
  if (option.get_items_expected_max() == 0) return text;
  std::string value = option.get_lnames().empty() ? "VALUE" : option.get_lnames().front();
  std::ranges::transform(value, value.begin(), [](char c) {
    return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
  return text + (option.get_lnames().empty() ? " " : "=") + value;
}

/// Each command that ends a line of words, this one or those below it.
void visit_leaves(const CLI::App& command, const std::function<void(const CLI::App&)>& visit) {
  const auto parts = commands_of(command);
  if (parts.empty()) visit(command);
  for (const auto* part : parts) visit_leaves(*part, visit);
}

/// Text that roff takes as it is.
std::string plain(const std::string& text) {
  std::string whole;
  for (const char c : text) {
    if (c == '\\' || c == '-') whole += '\\';
    whole += c;
  }
  return whole.starts_with('.') || whole.starts_with('\'') ? "\\&" + whole : whole;
}

}  // namespace

std::string synopsis(const CLI::App& command) {
  std::string text = full_name(command);
  for (const bool is_positional : {true, false})
    for (const auto* option : command.get_options()) {
      if (option->get_positional() != is_positional || is_help(*option)) continue;
      const auto shown = shown_option(*option);
      text += option->get_required() ? " " + shown : " [" + shown + "]";
    }
  return text;
}

std::string manual_text(const CLI::App& command, bool has_header) {
  std::string text;
  if (has_header) text += "NAME\n  " + full_name(command) + " - ";
  text += command.get_description() + "\n";
  if (has_header) text += "\nSYNOPSIS\n";
  visit_leaves(command, [&](const CLI::App& leaf) {
    text += "  " + synopsis(leaf) + "\n      " + leaf.get_description() + "\n";
    for (const auto* option : leaf.get_options())
      if (!is_help(*option))
        text += "        " + shown_option(*option) + "  " + option->get_description() + "\n";
  });
  return text;
}

std::string manual_roff(const CLI::App& command) {
  std::string title = command.get_name();
  std::ranges::transform(title, title.begin(), [](char c) {
    return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
  std::string text = ".TH " + title + " 1 \"\" \"Nucleus " NUCLEUS_VERSION "\" \"Commands\"\n" +
                     ".SH NAME\n" + plain(command.get_name()) + " \\- " +
                     plain(command.get_description()) + "\n.SH SYNOPSIS\n";
  visit_leaves(command,
               [&](const CLI::App& leaf) { text += ".B " + plain(synopsis(leaf)) + "\n.br\n"; });
  text += ".SH COMMANDS\n";
  visit_leaves(command, [&](const CLI::App& leaf) {
    text += ".SS " + plain(full_name(leaf)) + "\n" + plain(leaf.get_description()) + "\n";
    for (const auto* option : leaf.get_options())
      if (!is_help(*option))
        text += ".TP\n.B " + plain(shown_option(*option)) + "\n" +
                plain(option->get_description()) + "\n";
  });
  return text +
         ".SH FILES\n.TP\n.I ~/.cloudmesh/cloudmesh.yaml\nendpoints and their keys\n"
         ".TP\n.I ~/.cloudmesh/cm.db\nsettings, variables and the local copy\n"
         ".SH ENVIRONMENT\n.TP\n.B NUCLEUS_URL, NUCLEUS_TOKEN, NUCLEUS_API_KEY_NAME, "
         "NUCLEUS_API_KEY_SECRET\nthe endpoint, where none is named\n"
         ".SH \"EXIT STATUS\"\n0, 1 where it failed, 2 where it was asked wrongly\n";
}

}  // namespace nucleus::client
