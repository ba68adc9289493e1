// One line of the shell: what kind it is, and its words with variables put in. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace nucleus::client {

enum class LineKind { empty, comment, shell, command };

struct ShellLine {
  LineKind kind = LineKind::empty;
  std::string text = {};  // without blanks around, and without the `!`
};

/// `#`, `//` and `/*` begin a comment, `!` a line for the system's shell.
ShellLine read_line(const std::string& line);

/// The value of `name`, `os.NAME` or a path `a.b.c` of the yaml file.
using LookUp = std::function<std::optional<std::string>(const std::string& name)>;

/// Each `$name` replaced by its value; one that nobody knows stays as it is.
std::string with_variables(const std::string& text, const LookUp& look_up);

}  // namespace nucleus::client
