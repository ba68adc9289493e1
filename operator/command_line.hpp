// The command line of `nucleus`: groups, commands and their options. command_line.cpp is the only
// file that includes CLI11.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace nucleus::operator_ {

/// An option that was added; each rule returns the option itself.
class CommandOption {
 public:
  explicit CommandOption(CLI::Option* option) : option_{option} {}
  CommandOption& required();
  CommandOption& show_default();
  CommandOption& between(std::uint32_t least, std::uint32_t most);
  CommandOption& one_of(const std::vector<std::string>& words);
  CommandOption& existing_file();
  /// The value is a name: msg::is_name.
  CommandOption& name();
  CommandOption& needs(const CommandOption& other);
  CommandOption& excludes(const CommandOption& other);

 private:
  CLI::Option* option_;
};

/// The options of one command. Values are written to the variables when the command line is parsed.
class CommandOptions {
 public:
  explicit CommandOptions(CLI::App* command) : command_{command} {}
  /// A blank value is refused: an unset variable of a script must not make a command mean another
  /// thing.
  CommandOption add(const std::string& name, std::string& value, const std::string& help);
  CommandOption add_free_text(const std::string& name, std::string& value, const std::string& help);
  CommandOption add_free_text(const std::string& name, std::optional<std::string>& value,
                              const std::string& help);
  CommandOption add(const std::string& name, std::uint32_t& value, const std::string& help);
  CommandOption add(const std::string& name, std::uint64_t& value, const std::string& help);
  CommandOption add(const std::string& name, std::optional<double>& value, const std::string& help);
  CommandOption add(const std::string& name, std::optional<std::int64_t>& value,
                    const std::string& help);
  CommandOption add(const std::string& name, std::vector<std::string>& values,
                    const std::string& help);
  CommandOption flag(const std::string& name, bool& value, const std::string& help);
  /// `--state DIR` with its default.
  void state(std::string& directory);

 private:
  CLI::App* command_;
};

/// What a command does; its number is the exit code.
using Action = std::function<core::Result<int>()>;

/// Commands of one level: the top one, or those of a group.
class Commands {
 public:
  Commands(CLI::App* app, Action* chosen) : app_{app}, chosen_{chosen} {}

  Commands group(const std::string& name, const std::string& help);

  /// A command with `Arguments` that `describe` binds to its options.
  template <class Arguments>
  void add(const std::string& name, const std::string& help,
           core::Result<int> (*run)(const Arguments&),
           const std::function<void(CommandOptions&, Arguments&)>& describe) {
    auto arguments = std::make_shared<Arguments>();
    auto options = add(name, help, [arguments, run] { return run(*arguments); });
    describe(options, *arguments);
  }
  /// A command that help does not list.
  template <class Arguments>
  void add_hidden(const std::string& name, const std::string& help,
                  core::Result<int> (*run)(const Arguments&),
                  const std::function<void(CommandOptions&, Arguments&)>& describe) {
    add(name, help, run, describe);
    hide(name);
  }

 private:
  CommandOptions add(const std::string& name, const std::string& help, Action action);
  void hide(const std::string& name);

  CLI::App* app_;
  Action* chosen_;
};

/// Parses the command line and runs the command. The exit code: 0, 1 = it failed, 2 = wrong usage.
int run_command_line(int argc, char** argv, const std::function<void(Commands&)>& describe);

}  // namespace nucleus::operator_
