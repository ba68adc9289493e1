#include "client/grammar/manual.hpp"

#include <algorithm>
#include <functional>

namespace nucleus::client {

namespace {

constexpr const char* files_and_environment = R"(.SH SHELL
Without arguments cm reads commands from standard input, with history and completion at a terminal.
Words are separated by blanks; quotes group them, also inside a word. $NAME is the value of a
variable, $os.NAME of the environment, $a.b.c of the yaml file; a value is one word, whatever it
contains. Ctrl\-C ends the line or the command, not the shell. Lines that begin with #, // or /* are
comments, with ! lines for the system's shell.
.SH "CREDENTIALS"
An endpoint has one of: a token, an API key, or a user name and password. A session that began with
a password ends with the program. If the endpoint has none of them, user name and password come from
the entry of its host in ~/.netrc; .netrc is never read otherwise. A redirect to another server gets
no credential.
.SH FILES
.TP
.I ~/.cloudmesh/cloudmesh.yaml
endpoints and their keys
.TP
.I ~/.cloudmesh/cm.db
settings, variables and the local copy
.TP
.I ~/.cloudmesh/history
lines of the shell
.TP
.I ~/.netrc
user names and passwords by host
.SH ENVIRONMENT
.TP
.B NUCLEUS_URL, NUCLEUS_TOKEN, NUCLEUS_API_KEY_NAME, NUCLEUS_API_KEY_SECRET
the endpoint, if none is named
.TP
.B NUCLEUS_TOKEN_FILE
a file with the token that only its owner may read (mode 0600), in place of NUCLEUS_TOKEN
.TP
.B NUCLEUS_CA_FILE
CA certificates that the server of NUCLEUS_URL is verified with; of an endpoint in the yaml file,
ca_file
.TP
.B CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR
CA certificates if the endpoint sets none
.TP
.B http_proxy, https_proxy, all_proxy, no_proxy
proxies, as for curl(1)
.TP
.B NUCLEUS_CLIENT_DIR
a folder instead of ~/.cloudmesh
.TP
.B COMET_PASSWORD
the password of an endpoint with `password: env'
.SH "EXIT STATUS"
0, 1 if the command failed, 2 if it was used incorrectly
)";

std::string upper_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
  return text;
}

std::string shown_argument(const Argument& argument) {
  const std::string name = argument.name;
  if (!argument.is_option()) return argument.takes == Takes::many ? name + "…" : name;
  if (argument.takes == Takes::nothing) return name;
  return name.starts_with("--") ? name + "=" + upper_case(name.substr(2)) : name + " VALUE";
}

std::string shown_what(const Argument& argument) {
  const std::string what = argument.what;
  return *argument.fallback ? what + " (default: " + argument.fallback + ")" : what;
}

/// Visits each command without subcommands, this one or those below it, with its full name.
using Visit = std::function<void(const Command&, const std::string& name)>;
void visit_leaves(const Command& command, const std::string& name, const Visit& visit) {
  if (command.parts.empty()) visit(command, name);
  for (const auto& part : command.parts) visit_leaves(part, name + " " + part.name, visit);
}

/// The text with roff's control characters escaped.
std::string escaped(const std::string& text) {
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
  std::string text = ".TH " + upper_case(command.name) +
                     " 1 \"\" \"Nucleus " NUCLEUS_VERSION "\" \"Commands\"\n" + ".SH NAME\n" +
                     escaped(command.name) + " \\- " + escaped(command.what) + "\n.SH SYNOPSIS\n";
  const auto visit_all = [&](const Visit& visit) {
    // In the page of `cm` its commands are named without it, as they are typed in its shell.
    if (std::string_view(command.name) != "cm") return visit_leaves(command, command.name, visit);
    for (const auto& part : command.parts) visit_leaves(part, part.name, visit);
  };
  visit_all([&](const Command& leaf, const std::string& name) {
    text += ".B " + escaped(synopsis(leaf, name)) + "\n.br\n";
  });
  text += ".SH COMMANDS\n";
  visit_all([&](const Command& leaf, const std::string& name) {
    text += ".SS " + escaped(name) + "\n" + escaped(leaf.what) + "\n";
    for (const auto& argument : leaf.arguments)
      text += ".TP\n.B " + escaped(shown_argument(argument)) + "\n" +
              escaped(shown_what(argument)) + "\n";
  });
  return text + files_and_environment;
}

}  // namespace nucleus::client
