// Commands of the shell that need no server: help and man, what is printed, history, variables and
// defaults, scripts and other programs.
#include <poll.h>

#include <chrono>
#include <ctime>
#include <iostream>

#include "client/command_table.hpp"
#include "client/manual.hpp"
#include "client/shell.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

using Text = std::shared_ptr<std::string>;

Text text_option(CLI::App& command, const std::string& name, const std::string& what) {
  auto text = std::make_shared<std::string>();
  command.add_option(name, *text, what);
  return text;
}

std::shared_ptr<std::vector<std::string>> words_option(CLI::App& command, const std::string& name,
                                                       const std::string& what) {
  auto words = std::make_shared<std::vector<std::string>>();
  command.add_option(name, *words, what);
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

core::Result<int> manual(const std::string& name, bool has_header) {
  Chosen nothing;
  const auto table = command_table(nothing);
  if (name.empty()) {
    for (const auto* each : commands_of(*table))
      std::cout << "  " << each->get_name()
                << std::string(each->get_name().size() < 12 ? 12 - each->get_name().size() : 1, ' ')
                << each->get_description() << "\n";
    return 0;
  }
  for (const auto* each : commands_of(*table))
    if (each->check_name(name)) {
      std::cout << manual_text(*each, has_header);
      return 0;
    }
  return core::refuse(ErrorCode::not_found, "there is no command " + msg::shown(name));
}

void add_help(CLI::App& app, Chosen& chosen) {
  auto* help = app.add_subcommand("help", "all commands, or one");
  auto name = text_option(*help, "COMMAND", "this one");
  help->callback(
      [&chosen, name] { chosen.local = [name](Session&) { return manual(*name, true); }; });
  auto* man = app.add_subcommand("man", "the manual page of a command");
  auto of = text_option(*man, "COMMAND", "of this one");
  auto is_bare = std::make_shared<bool>(false);
  man->add_flag("--noheader", *is_bare, "without its headings");
  man->callback([&chosen, of, is_bare] {
    chosen.local = [of, is_bare](Session&) { return manual(*of, !*is_bare); };
  });
}

core::Result<int> banner(const std::string& text, const std::string& sign, std::size_t width,
                         std::size_t indent) {
  constexpr std::size_t width_max = 1'000;
  if (sign.size() != 1 || width > width_max || indent > width_max)
    return core::refuse(ErrorCode::invalid_argument, "-c is one character, -n and -i below 1000");
  const std::string blanks(indent, ' ');
  const std::string rule(width, sign.front());
  std::cout << blanks << rule << "\n"
            << blanks << sign << " " << text << "\n"
            << blanks << rule << "\n";
  return 0;
}

void add_printing(CLI::App& app, Chosen& chosen) {
  auto* framed = app.add_subcommand("banner", "a text in a frame");
  auto text = words_option(*framed, "TEXT", "what it says");
  auto sign = std::make_shared<std::string>("#");
  auto width = std::make_shared<std::size_t>(70);
  auto indent = std::make_shared<std::size_t>(0);
  framed->add_option("-c", *sign, "the character of the frame");
  framed->add_option("-n", *width, "how wide");
  framed->add_option("-i", *indent, "how far in");
  const auto frame_color = text_option(*framed, "-r", "a colour, for old scripts");
  framed->callback([&chosen, text, sign, width, indent, frame_color] {
    chosen.local = [=](Session&) { return banner(joined(*text), *sign, *width, *indent); };
  });
  auto* echo = app.add_subcommand("echo", "print a text");
  const auto text_color = text_option(*echo, "-r", "a colour, for old scripts");
  auto said = words_option(*echo, "TEXT", "what to print");
  echo->callback([&chosen, said, text_color] {
    chosen.local = [said](Session&) {
      std::cout << joined(*said) << "\n";
      return core::Result<int>(0);
    };
  });
  app.add_subcommand("clear", "clear the terminal")->callback([&chosen] {
    chosen.local = [](Session&) {
      if (is_shown_at_terminal()) std::cout << "\033[H\033[2J" << std::flush;
      return core::Result<int>(0);
    };
  });
}

void add_waiting(CLI::App& app, Chosen& chosen) {
  auto* pause = app.add_subcommand("pause", "wait for the return key, at a terminal");
  auto message = words_option(*pause, "MESSAGE", "what to say");
  pause->callback([&chosen, message] {
    chosen.local = [message](Session&) {
      (void)ask(message->empty() ? "Press return" : joined(*message));
      return core::Result<int>(0);
    };
  });
  auto* sleep = app.add_subcommand("sleep", "do nothing for some seconds");
  auto seconds = std::make_shared<double>(0);
  sleep->add_option("SECONDS", *seconds, "how long")->required()->check(CLI::Range(0.0, 86'400.0));
  sleep->callback([&chosen, seconds] {
    chosen.local = [seconds](Session&) {
      std::cout << std::flush;
      poll(nullptr, 0, static_cast<int>(*seconds * 1'000));
      return core::Result<int>(0);
    };
  });
}

void add_programs(CLI::App& app, Chosen& chosen) {
  const auto pass = [&](const std::string& name, const std::string& what,
                        std::vector<std::string> argv) {
    auto* command = app.add_subcommand(name, what);
    command->prefix_command();
    command->set_help_flag();  // the program has its own
    command->callback([&chosen, command, argv] {
      auto whole = argv;
      for (const auto& word : command->remaining()) whole.push_back(word);
      chosen.local = [whole](Session&) { return core::Result<int>(run_here(whole)); };
    });
  };
  pass("ssh", "the secure shell, with its own words", {"ssh"});
  pass("rsync", "copy files, with its own words", {"rsync"});
  pass("open", "open a file or URL in the desktop", {"xdg-open"});
  auto* shell = app.add_subcommand("shell", "a line for the system's shell, as !");
  shell->prefix_command();
  shell->set_help_flag();
  shell->callback([&chosen, shell] {
    const auto line = joined(shell->remaining());
    chosen.local = [line](Session&) {
      return core::Result<int>(run_here({"/bin/sh", "-c", line}));
    };
  });
  auto* py = app.add_subcommand("py", "python, or one line of it");
  py->prefix_command();
  py->set_help_flag();
  py->callback([&chosen, py] {
    std::vector<std::string> argv = {"python3"};
    if (!py->remaining().empty()) argv.insert(argv.end(), {"-c", joined(py->remaining())});
    chosen.local = [argv](Session&) { return core::Result<int>(run_here(argv)); };
  });
  auto* exec = app.add_subcommand("exec", "run a file of commands");
  auto file = text_option(*exec, "FILENAME", "one command a line");
  exec->callback([&chosen, file] {
    chosen.local = [file](Session& session) {
      return core::Result<int>(run_script(session, *file));
    };
  });
}

void add_history_and_end(CLI::App& app, Chosen& chosen) {
  for (const char* name : {"history", "h"}) {
    auto* history = app.add_subcommand(name, "the lines of this shell, or one of them again");
    auto which = text_option(*history, "ID", "list, last, or the number of a line to run again");
    history->callback([&chosen, which] {
      chosen.local = [which](Session& session) -> core::Result<int> {
        const auto& lines = session.history;
        if (which->empty() || *which == "list") {
          for (std::size_t i = 0; i < lines.size(); ++i)
            std::cout << i + 1 << ": " << lines[i] << "\n";
          return 0;
        }
        // The last line is the one that asks.
        std::size_t number = lines.size() - 1;
        if (*which != "last") number = std::strtoul(which->c_str(), nullptr, 10);
        if (lines.size() < 2 || number < 1 || number >= lines.size())
          return core::refuse(ErrorCode::not_found, "there is no such line");
        const std::string line = lines[number - 1];
        std::cout << line << "\n";
        return run_line(session, line);
      };
    });
  }
  for (const char* name : {"quit", "q", "EOF"})
    app.add_subcommand(name, "leave the shell")->callback([&chosen] {
      chosen.local = [](Session& session) {
        session.is_over = true;
        return core::Result<int>(0);
      };
    });
}

}  // namespace

void add_shell_basics(CLI::App& app, Chosen& chosen) {
  add_help(app, chosen);
  add_printing(app, chosen);
  add_waiting(app, chosen);
  add_programs(app, chosen);
  add_history_and_end(app, chosen);
}

}  // namespace nucleus::client
