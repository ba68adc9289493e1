// One line of the shell: its kind and its words. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nucleus::client {

enum class LineKind { empty, comment, shell, command };

struct ShellLine {
  LineKind kind = LineKind::empty;
  std::string text = {};  // without blanks at its ends, and without the `!`
};

/// `#`, `//` and `/*` begin a comment, `!` a line for the system's shell.
ShellLine read_line(const std::string& line);

/// The value of `name`, `os.NAME` or a path `a.b.c` of the yaml file.
using LookUp = std::function<std::optional<std::string>(const std::string& name)>;

/// The text with each `$name` replaced by its value. A name without a value stays as it is.
std::string with_variables(const std::string& text, const LookUp& look_up);

/// The words between blanks. Quotes group characters, also inside a word; an empty pair of quotes
/// is an empty word. A quote without a partner is an ordinary character. Inside double quotes `\"`
/// and `\\` are the second character alone. With `look_up`, variables are replaced after the split,
/// so that a value is one word, whatever it contains; inside single quotes they are not.
std::vector<std::string> split_words(const std::string& text, const LookUp& look_up = {});

}  // namespace nucleus::client
