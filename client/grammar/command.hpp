// What a command is: its arguments and help as plain data. Parsing, `help`, `man`, the man pages
// and completion all read the one table of commands (grammar/table.cpp).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace nucleus::client {

class Session;
class Words;

enum class Takes : unsigned char {
  one,      // a text
  number,   // a whole number, 0..2'147'483'647
  nothing,  // a flag
  many,     // all the texts that follow
};

/// `--name` or `-n` is an option. A name in capitals is positional and names the kind of its
/// completions: CLUSTER, NODES, IMAGE, COMMAND, ENDPOINT, KEY.
struct Argument {
  const char* name = "";
  const char* what = "";
  Takes takes = Takes::one;
  bool is_required = false;
  const char* fallback = "";  // the value if it is not given
  bool may_be_blank = false;  // else a value without a name in it, such as "" or ",", is refused

  constexpr bool is_option() const { return name[0] == '-'; }
};

/// Runs a command; returns its exit code.
using Run = core::Result<int> (*)(Session&, const Words&);

struct Command {
  const char* name = "";
  const char* what = "";
  std::span<const Argument> arguments = {};
  Run run = nullptr;
  std::span<const Command> parts = {};  // subcommands, one of which must follow
  bool is_passed_on = false;            // takes all words that follow as they are, options too

  /// The subcommand of that name; nullptr if there is none.
  const Command* part(std::string_view part_name) const;
};

/// The values that a line gives to a command's arguments.
class Words {
 public:
  explicit Words(const Command& command) : command_{&command} {}

  const Command& command() const { return *command_; }
  /// True if the line gives a value, even an empty one.
  bool has(std::string_view name) const;
  /// The value given, else the fallback; the last one if there are several.
  std::string operator[](std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  /// The value as a number; 0 if none is given.
  std::int64_t number(std::string_view name) const;
  /// All values, separated by blanks.
  std::string joined(std::string_view name) const;

  void set(std::string_view name, std::vector<std::string> values);
  /// Sets a value that the line does not give.
  void set_default(std::string_view name, std::string value);
  /// True if the line itself gives a value.
  bool is_given(std::string_view name) const;

 private:
  const Command* command_;
  std::vector<std::string> defaults_ = {};  // the names set by set_default
  std::vector<std::pair<std::string, std::vector<std::string>>> given_ = {};
};

}  // namespace nucleus::client
