#include "client/manual.hpp"

#include <algorithm>
#include <functional>

namespace nucleus::client {

namespace {

std::string in_capitals(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
  return text;
}

std::string shown_argument(const Argument& argument) {
  const std::string name = argument.name;
  if (!argument.is_option()) return argument.takes == Takes::many ? name + "…" : name;
  if (argument.takes == Takes::nothing) return name;
  return name.starts_with("--") ? name + "=" + in_capitals(name.substr(2)) : name + " VALUE";
}

std::string shown_what(const Argument& argument) {
  const std::string what = argument.what;
  return *argument.otherwise ? what + "; else " + argument.otherwise : what;
}

/// Each command that ends a line of words, this one or those below it, and its whole name.
using Visit = std::function<void(const Command&, const std::string& name)>;
void visit_leaves(const Command& command, const std::string& name, const Visit& visit) {
  if (command.parts.empty()) visit(command, name);
  for (const auto& part : command.parts) visit_leaves(part, name + " " + part.name, visit);
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

std::string synopsis(const Command& command, const std::string& name) {
  std::string text = name;
  for (const auto& argument : command.arguments)
    text += argument.is_required ? " " + shown_argument(argument)
                                 : " [" + shown_argument(argument) + "]";
  return text;
}

std::string manual_text(const Command& command, const std::string& name, bool has_header) {
  std::string text;
  if (has_header) text += "NAME\n  " + name + " - ";
  text += std::string(command.what) + "\n";
  if (has_header) text += "\nSYNOPSIS\n";
  visit_leaves(command, name, [&](const Command& leaf, const std::string& leaf_name) {
    text += "  " + synopsis(leaf, leaf_name) + "\n      " + leaf.what + "\n";
    for (const auto& argument : leaf.arguments)
      text += "        " + shown_argument(argument) + "  " + shown_what(argument) + "\n";
  });
  return text;
}

std::string manual_roff(const Command& command) {
  std::string text = ".TH " + in_capitals(command.name) +
                     " 1 \"\" \"Nucleus " NUCLEUS_VERSION "\" \"Commands\"\n" + ".SH NAME\n" +
                     plain(command.name) + " \\- " + plain(command.what) + "\n.SH SYNOPSIS\n";
  const auto visit_all = [&](const Visit& visit) {
    // The program's own name is in front of its commands' only where it must be said.
    if (std::string_view(command.name) != "cm") return visit_leaves(command, command.name, visit);
    for (const auto& part : command.parts) visit_leaves(part, part.name, visit);
  };
  visit_all([&](const Command& leaf, const std::string& name) {
    text += ".B " + plain(synopsis(leaf, name)) + "\n.br\n";
  });
  text += ".SH COMMANDS\n";
  visit_all([&](const Command& leaf, const std::string& name) {
    text += ".SS " + plain(name) + "\n" + plain(leaf.what) + "\n";
    for (const auto& argument : leaf.arguments)
      text +=
          ".TP\n.B " + plain(shown_argument(argument)) + "\n" + plain(shown_what(argument)) + "\n";
  });
  return text +
         ".SH FILES\n.TP\n.I ~/.cloudmesh/cloudmesh.yaml\nendpoints and their keys\n"
         ".TP\n.I ~/.cloudmesh/cm.db\nsettings, variables and the local copy\n"
         ".SH ENVIRONMENT\n.TP\n.B NUCLEUS_URL, NUCLEUS_TOKEN, NUCLEUS_API_KEY_NAME, "
         "NUCLEUS_API_KEY_SECRET\nthe endpoint, where none is named\n"
         ".SH \"EXIT STATUS\"\n0, 1 where it failed, 2 where it was asked wrongly\n";
}

}  // namespace nucleus::client
