// What a command is: its words, options and help as plain data. The one table of all of them
// (`command_table`) is what parsing, `help`, `man`, the man pages and completion come of.
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
  nothing,  // said or not
  many,     // texts: all that follow
};

/// `--name` or `-n` is an option; a name in capitals is said by its place, and is completed with
/// names of that kind: CLUSTER, NODES, IMAGE, COMMAND, ENDPOINT, KEY.
struct Argument {
  const char* name = "";
  const char* what = "";
  Takes takes = Takes::one;
  bool is_required = false;
  const char* otherwise = "";  // where it is not said

  constexpr bool is_option() const { return name[0] == '-'; }
};

/// Runs a command; its number is the exit code.
using Run = core::Result<int> (*)(Session&, const Words&);

struct Command {
  const char* name = "";
  const char* what = "";
  std::span<const Argument> arguments = {};
  Run run = nullptr;
  std::span<const Command> parts = {};  // one of which must follow
  bool is_passed_on = false;            // all that follows is its, as it is; options, too

  /// The part of that name; nullptr = none.
  const Command* part(std::string_view part_name) const;
};

/// What a line said of a command's arguments.
class Words {
 public:
  explicit Words(const Command& command) : command_{&command} {}

  const Command& command() const { return *command_; }
  bool has(std::string_view name) const;
  /// What was said, or what is taken otherwise; empty = neither.
  std::string operator[](std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  /// As a number; 0 where nothing was said.
  std::int64_t number(std::string_view name) const;
  /// All of them, with blanks between.
  std::string joined(std::string_view name) const;

  void say(std::string_view name, std::vector<std::string> values);

 private:
  const Command* command_;
  std::vector<std::pair<std::string, std::vector<std::string>>> said_ = {};
};

}  // namespace nucleus::client
